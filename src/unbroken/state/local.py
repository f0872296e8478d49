"""Locals: the variables that a loop keeps in the run, by names declared before it begins."""

import logging
from collections.abc import Mapping
from typing import Any

from unbroken import messages
from unbroken.errors import CheckpointDamagedError, UnsavableStateError, UsageError
from unbroken.state.adapters import one_line
from unbroken.state.origins import Mentions
from unbroken.state.plain import Tree, look
from unbroken.state.revalued import Maker
from unbroken.state.snapshot import own_copy
from unbroken.state.values import Built, Describer, Known, without_places

_log = logging.getLogger("unbroken")

_MOST_NAMED = 8
_ROOT = "local"
_SIMPLE = (bool, int, float, str, type(None))


class Local:
    """The user's variables as attributes. A name that was not declared is an AttributeError that lists the others."""

    __slots__ = ("__unbroken__",)

    def __init__(self, owner: "Locals") -> None:
        object.__setattr__(self, "__unbroken__", owner)

    def __getattr__(self, name: str) -> Any:
        owner: Locals = object.__getattribute__(self, "__unbroken__")
        return owner.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__getattribute__(self, "__unbroken__").set(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(messages.text("local_not_deleted", name=name))

    def __dir__(self) -> list[str]:
        return list(object.__getattribute__(self, "__unbroken__").names)

    def __repr__(self) -> str:
        owner: Locals = object.__getattribute__(self, "__unbroken__")
        return f"local({', '.join(f'{name}={owner.get(name)!r}' for name in owner.names)})"


class Locals:
    """Keeps the declared values: they are saved as they are at a moment, and put back to it."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._own: dict[str, Any] = {}
        self._places: dict[str, dict[str, Any]] = {}
        """By name, the dict that has the value."""
        self._at_beginning = Built()
        self._begun = False
        self._in_epoch = Built()
        self._said: set[str] = set()
        self._unsavable: UnsavableStateError | None = None
        self.local = Local(self)

    @property
    def names(self) -> list[str]:
        return list(self._values)

    @property
    def _values(self) -> dict[str, Any]:
        # A global may be deleted at times.
        return {name: place[name] for name, place in self._places.items() if name in place}

    def declare(self, values: Mapping[str, Any], place: dict[str, Any] | None = None) -> None:
        """The values live in ``place``, a module's globals, or in here.

        Raises UsageError for a name that is there, UnsavableStateError for a value that no checkpoint can hold.
        """
        for name, value in values.items():
            if name in self._places:
                raise UsageError("local_declared_twice", name=name)
            if name.startswith("__") or not name.isidentifier():
                raise UsageError("local_bad_name", name=name)
            self._check(name, value)
        place = self._own if place is None else place
        place.update(values)
        self._places.update(dict.fromkeys(values, place))

    def get(self, name: str) -> Any:
        try:
            return self._places[name][name]
        except KeyError:
            raise self._undeclared(name) from None

    def set(self, name: str, value: Any) -> None:
        """Raises UnsavableStateError at once for what no checkpoint can hold."""
        if name not in self._places:
            raise self._undeclared(name)
        self._check(name, value)
        self._places[name][name] = value

    def looks(self) -> dict[str, str]:
        """A short text for each value, equal for equal values."""
        try:
            return {name: look(without_places(tree)) for name, tree in self._trees().items()}
        except UnsavableStateError as error:
            return dict.fromkeys(self._places, str(error))

    def remember_built(self) -> None:
        """The run begins: what is there now is what the program builds at every start; only the first call counts."""
        if not self._begun:
            self._begun = True
            self._note(self._at_beginning, "")

    def epoch_prepared(self) -> None:
        """The code before an epoch's batches has run: a resume inside the epoch finds what it has made again."""
        self._in_epoch = Built()
        self._note(self._in_epoch, "epoch:")

    def capture(self) -> dict[str, Tree]:
        """The trees of all values, sharing memory with them. Raises UnsavableStateError naming ``local.NAME``."""
        if self._unsavable is not None:
            raise self._unsavable
        return self._trees()

    def copied(self) -> dict[str, Tree]:
        """As ``capture``, in memory of its own: of the start of an epoch.

        What can't be saved is no error here, in the midst of training: the saves of this epoch say it.
        """
        self._unsavable = None
        try:
            trees: dict[str, Tree] = own_copy(self._trees(), _ROOT)
        except UnsavableStateError as error:
            self._unsavable = error
            return {}
        return trees

    def epoch_left(self) -> None:
        """What it started with is of no account any more."""
        self._unsavable, self._in_epoch = None, Built()

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Put the (decoded) values back as they were; may be called again. Names that only one side has are told.

        Raises:
            ArchitectureChangedError: the class of a value is not there any more.
            CheckpointDamagedError: it is none of what ``capture`` writes.
        """
        self.remember_built()
        maker = Maker(self._known() if saved else {}, self._at_beginning, self._in_epoch)
        trees = own_copy(dict(saved), _ROOT)
        now = self._values
        try:
            # Those of names that are gone too: others may refer to them.
            made = {name: maker.make(tree, now.get(name), f"{_ROOT}.{name}") for name, tree in trees.items()}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            raise CheckpointDamagedError("state_bad_encoding", path="locals", detail=one_line(error)) from error
        for name, value in made.items():
            if name in self._places:
                self._places[name][name] = value
        self._say("local_new", [name for name in now if name not in made])
        self._say("local_gone", [name for name in made if name not in self._places])
        self._say("local_homeless", maker.homeless)
        # A hidden state from batch to batch is detached by the code that uses it: no news in a script that does so.
        detached = not maker.graphs or self._detaches()  # asked where it matters: it looks through all of the program
        self._say("local_graphs", maker.graphs, logging.INFO if detached else logging.WARNING)
        self._say("local_elsewhere", maker.elsewhere)

    @staticmethod
    def _detaches() -> bool:
        return any(Mentions(name)() for name in ("detach", "detach_"))

    def _trees(self) -> dict[str, Tree]:
        describer = Describer(self._known, self._at_beginning, self._in_epoch)
        return {name: describer.describe(value, f"{_ROOT}.{name}") for name, value in self._values.items()}

    def _note(self, built: Built, mark: str) -> None:
        describer = Describer(self._known)
        for name, value in self._values.items():
            first = len(describer.objects)
            try:
                describer.describe(value, f"{_ROOT}.{name}")
            except UnsavableStateError:
                continue  # the next save says it
            built.add(mark + name, describer.objects[first:])

    def _check(self, name: str, value: Any) -> None:
        if type(value) not in _SIMPLE:
            Describer(self._known).describe(value, f"{_ROOT}.{name}")

    def _undeclared(self, name: str) -> AttributeError:
        names = ", ".join(self._places) or "-"
        return AttributeError(messages.text("local_undeclared", name=name, names=names))

    def _say(self, key: str, paths: list[str], level: int = logging.WARNING) -> None:
        """Each once."""
        new = [path for path in dict.fromkeys(paths) if f"{key} {path}" not in self._said]
        self._said.update(f"{key} {path}" for path in new)
        if new:
            names = ", ".join(new[:_MOST_NAMED]) + (", …" if len(new) > _MOST_NAMED else "")
            _log.log(level, messages.text(key, names=names, first=new[0]))

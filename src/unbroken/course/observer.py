"""Observer: tells the trace each moment of a run under audit, with digests of all that the run is made of."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import xxhash
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from unbroken.course.listening import Listener
from unbroken.keep.cursor import Cursor
from unbroken.loop import bits
from unbroken.loop.randomness import GLOBAL_STREAMS, capture_streams
from unbroken.loop.trace import COMPILED, Group, Kind, Mark, Name, TraceFile
from unbroken.loop.variables import Variables
from unbroken.state.adapters import GENERATORS
from unbroken.state.containers import is_container
from unbroken.state.history import History
from unbroken.state.local import Locals
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState
from unbroken.state.values import without_places
from unbroken.store.runstate import Reason

Values = dict[Name, str]


class Observer(Listener):
    """Tells the trace of one run. What it looks at it leaves as it is, the random streams included."""

    def __init__(
        self,
        file: TraceFile,
        run: str,
        tracked: Tracked,
        history: History,
        user_state: UserState,
        variables: Locals,
        cursor: Cursor,
    ) -> None:
        self._file = file
        self._run = run
        self._tracked = tracked
        self._history = history
        self._user_state = user_state
        self._locals = variables
        self._cursor = cursor
        self._given: dict[int, xxhash.xxh3_64] = {}
        self._before: Values | None = None

    def begun(self, folder: Path, resumed_from: Path | None, seed: int) -> None:
        """The run has its state: of a checkpoint, or as built."""
        values = {Name(Group.SEED, "seed", Mark.HINT): str(seed), **self._state()}
        resumed = None if resumed_from is None else str(resumed_from)
        self._write(Kind.BEGIN, values, folder=str(folder.absolute()), resumed_from=resumed)

    def given(self, loop: int, batch: object) -> None:
        """A batch of the epoch's loop number ``loop`` is about to be handed to the user."""
        if self._before is None:  # of several loops in one step the first
            self._before = {
                replace(name, mark=Mark.BEFORE): text
                for name, text in self._variables().items()
                if name.group is Group.VARIABLE and name.mark is Mark.HINT
            }
        digest = self._given.setdefault(loop, xxhash.xxh3_64())
        for path, text in bits.leaves(batch, ""):
            digest.update(f"{path}={text}\n".encode())

    def stepped(self) -> None:
        """The user's code is done with the batch of the leading loop."""
        order = {Name(Group.ORDER, "batches"): f"{self._cursor.order:016x}"}
        before, self._before = self._before or {}, None
        self._write(Kind.STEP, {**order, **self._take_data(), **self._state(), **before})

    def saved(self, step: int, reason: Reason) -> None:
        """A snapshot was handed to the writer."""
        self._write(Kind.SAVE, {}, step=step, reason=reason.value)

    def epoch_recorded(self) -> None:
        """The epoch is done and its metrics are recorded; it is about to be saved."""
        self._before = None  # of a loop behind the one that leads
        self._write(Kind.EPOCH, {**self._take_data(), **self._metrics(), **self._state()})

    def ended(self) -> None:
        """The run has come to its end."""
        self._write(Kind.END, {**self._metrics(), **self._state()})

    def _write(self, kind: Kind, values: Values, step: int | None = None, **facts: object) -> None:
        cursor = self._cursor
        self._file.write(
            kind,
            run=self._run,
            step=cursor.step if step is None else step,
            epoch=cursor.epoch + (1 if kind is Kind.STEP else 0),
            batch=cursor.batch,
            values=values,
            facts=facts,
        )

    def _take_data(self) -> Values:
        given, self._given = self._given, {}
        return {Name(Group.DATA, f"loop {loop + 1}"): digest.hexdigest() for loop, digest in sorted(given.items())}

    def _metrics(self) -> Values:
        values = {Name(Group.HISTORY, name): bits.of_leaf(column[-1]) for name, column in self._history.columns.items()}
        best = self._history.best
        return {**values, Name(Group.HISTORY, "best"): f"{best.value!r} ({best.epoch})"}

    def _state(self) -> Values:
        values = {
            Name(Group.STREAM, stream): bits.of_all(state)
            for stream, state in sorted(capture_streams().items())
            if stream in GLOBAL_STREAMS
        }
        for name, (total, weight) in self._history.partial()["sums"].items():
            values[Name(Group.AVERAGE, name)] = (
                f"{total / weight if weight else total!r} {bits.of_all((total, weight))}"
            )
        for key, value in self._user_state.values_to_save().items():
            text = bits.of_leaf(value) if isinstance(value, bits.Scalar) else bits.of_all(value)
            values[Name(Group.STATE, f"run.state[{key!r}]")] = text
        values |= {Name(Group.STATE, f"local.{name}"): text for name, text in self._locals.looks().items()}
        values |= dict(tracked_values(self._tracked))
        if self._tracked.compiled:
            values[COMPILED] = str(_graphs_compiled())
        return {**values, **self._variables()}

    def _variables(self) -> Values:
        return Variables(list(self._tracked.objects.values())).values()


def tracked_values(tracked: Tracked) -> Iterator[tuple[Name, str]]:
    """Every tensor and number that is tracked; an optimizer's by the names of its parameters."""
    parameters = tracked.optimizer_parameters()
    for name, state in tracked.state().items():
        group = _group_of(tracked.objects[name])
        if group is Group.OPTIMIZER:
            yield from _optimizer_values(name, state, parameters[name])
        else:
            shown = without_places(state) if is_container(tracked.objects[name]) else state
            for path, text in bits.leaves(shown, name):
                yield Name(group, path), text
    for name, extras in tracked.extras()["modules"].items():
        for path, text in bits.leaves(extras["buffers"], name):
            yield Name(Group.MODEL, path), text


def _graphs_compiled() -> int:
    """By ``torch.compile``, in this process so far: which ones they are depends on the shapes it has met."""
    utilities = sys.modules.get("torch._dynamo.utils")
    counters = getattr(utilities, "counters", {})
    return int(counters.get("stats", {}).get("unique_graphs", 0))


def _group_of(tracked: object) -> Group:
    if isinstance(tracked, nn.Module):
        return Group.MODEL
    if isinstance(tracked, Optimizer):
        return Group.OPTIMIZER
    if isinstance(tracked, LRScheduler | ReduceLROnPlateau):
        return Group.SCHEDULER
    return Group.STREAM if isinstance(tracked, GENERATORS) else Group.OTHER


def _optimizer_values(name: str, state: Mapping[str, Any], parameters: list[list[str]]) -> Iterator[tuple[Name, str]]:
    flat = [parameter for group in parameters for parameter in group]
    for index, kept in state["state"].items():
        owner = flat[index] if isinstance(index, int) and index < len(flat) else str(index)
        for path, text in bits.leaves(kept, f"{name}.state[{owner}]"):
            yield Name(Group.OPTIMIZER, path), text
    for number, group in enumerate(state["param_groups"]):
        settings = {key: value for key, value in group.items() if key not in ("params", "param_names")}
        for path, text in bits.leaves(settings, f"{name}.param_groups[{number}]"):
            yield Name(Group.LEARNING_RATE, path), text
    yield Name(Group.OPTIMIZER, f"{name}.param_groups", Mark.HINT), bits.of_text(repr(parameters))

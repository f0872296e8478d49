"""What is tracked: everything whose state a checkpoint holds, and how all of it comes back."""

import logging
from collections.abc import Collection, Container, Iterator, Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from unbroken import messages
from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError, UsageError
from unbroken.state import matching
from unbroken.state.adapters import GENERATORS, ObjectState, check_same_shape, one_line
from unbroken.state.adapting import Adapter, adapter_for
from unbroken.state.architecture import architecture_of, compare_architectures
from unbroken.state.attributes import Attributes, Owner, covered
from unbroken.state.containers import ContainerState
from unbroken.state.encoding import decode, encode
from unbroken.state.modules import ModuleState
from unbroken.state.optimizers import Names, OptimizerState, Plan
from unbroken.state.origins import is_users
from unbroken.state.plain import is_fixed, is_looked_into, of_optimizers
from unbroken.state.sizes import expected_bytes, is_known
from unbroken.state.snapshot import own_copy
from unbroken.state.stepping import Stepping
from unbroken.state.trial import says_nothing
from unbroken.state.wrappers import unwrapped
from unbroken.store.payload import RESERVED

_log = logging.getLogger("unbroken")


class Tracked:
    """The objects of a run by name. What is saved of them is ``state()`` and ``extras()``, never a copy."""

    def __init__(self) -> None:
        self._objects: dict[str, object] = {}
        self._modules: dict[str, ModuleState] = {}
        self._optimizers: dict[str, OptimizerState] = {}
        self._others: dict[str, ObjectState] = {}
        self._attributes = Attributes(self._owners, self.objects_by_name)
        self._stepping = Stepping()

    @property
    def names(self) -> list[str]:
        """In the order of tracking."""
        return list(self._objects)

    @property
    def objects(self) -> Mapping[str, object]:
        """What is tracked, by name."""
        return self._objects

    @property
    def optimizers(self) -> dict[str, Optimizer]:
        return {name: adapter.optimizer for name, adapter in self._optimizers.items()}

    @property
    def compiled(self) -> bool:
        """Whether any tracked module runs through ``torch.compile``."""
        return any(adapter.compiled for adapter in self._modules.values())

    def add(self, name: str, obj: object) -> None:
        """Track ``obj``; refused with a reason if its state could not be saved, or not be restored."""
        if not name.isidentifier() or name in RESERVED:
            raise UsageError("state_bad_name", name=name)
        if name in self._objects:
            raise UsageError("state_name_taken", name=name)
        obj = unwrapped(obj)
        for other, known in self._objects.items():
            if known is obj:
                raise UsageError("state_tracked_twice", name=name, other=other)
        adapter = adapter_for(name, obj, self.objects_by_name)
        state = encode(adapter.state(), name)
        if isinstance(adapter, ModuleState):
            encode(adapter.extras(), name)
            self._modules[name] = adapter
        elif isinstance(adapter, OptimizerState):
            self._optimizers[name] = adapter
        else:
            adapter.functions()
            self._others[name] = adapter
        if says_nothing(obj, state):
            _log.warning(messages.text("state_says_nothing", name=name, type=type(obj).__name__))
        self._objects[name] = obj

    def state(self) -> dict[str, Any]:
        """The state_dict of everything tracked, by name; its tensors are the live ones."""
        return {name: self._adapter(name).state() for name in self._objects}

    @property
    def has_generators(self) -> bool:
        """Whether there are random generators among them."""
        return any(isinstance(obj, GENERATORS) for obj in self._objects.values())

    def generators(self) -> dict[str, Any]:
        """The states of the random generators among them: streams of the user's own, beside the global ones."""
        return {name: self._adapter(name).state() for name, obj in self._objects.items() if isinstance(obj, GENERATORS)}

    def restore_generators(self, states: Mapping[str, Any]) -> None:
        for name, state in states.items():
            self._others[name].restore(state)

    def extras(self) -> dict[str, Any]:
        """What the state_dicts leave out and an exact resume needs; belongs into the checkpoint beside them.

        Per module its modes, frozen parameters and non-persistent buffers; per optimizer the parameters of
        nothing tracked; per other object fingerprints of its functions.
        """
        known = self._known()
        return {
            "modules": {name: adapter.extras() for name, adapter in self._modules.items()},
            "optimizers": {name: adapter.strangers(known) for name, adapter in self._optimizers.items()},
            "late_groups": {name: adapter.late_groups for name, adapter in self._optimizers.items()},
            "late_buffers": {name: adapter.late_buffers() for name, adapter in self._modules.items()},
            "reshaped_buffers": {name: adapter.reshaped_buffers() for name, adapter in self._modules.items()},
            "functions": {name: marks for name, marks in self._functions().items() if marks},
            "classes": matching.classes_of(self._objects),
        }

    def attributes(self) -> dict[str, Any]:
        """What the objects hold beside their state_dicts, where training has changed it: for ``restore``."""
        return self._attributes.capture()

    def look_for_sleepers(self, step: int) -> None:
        """At a save: say it where a tracked optimizer no longer is the one that trains its parameters."""
        self._stepping.look(self.optimizers, step)

    def remember_built(self) -> None:
        """Remember what the program has built, before training or a restore changes it; only the first call counts."""
        for adapter in self._modules.values():
            adapter.remember()
        self._attributes.remember()

    def epoch_prepared(self) -> None:
        """The code before an epoch's batches has run."""
        for adapter in self._others.values():
            if isinstance(adapter, ContainerState):
                adapter.epoch_prepared()

    def begin_again(self) -> None:
        """The run begins a second time in this process: the next restore finds trained objects, not as built."""
        self._attributes.begin_again()

    def holds_the_same(self, other: "Tracked") -> bool:
        """Whether the very objects are tracked in both, under the same names."""
        mine, others = self._objects, other._objects
        return mine.keys() == others.keys() and all(mine[name] is others[name] for name in mine)

    def expected_bytes(self) -> int:
        """About how many bytes a checkpoint of all this will take, also before the optimizers have any state."""
        return expected_bytes(self._modules.values(), self.optimizers.values())

    @property
    def size_is_known(self) -> bool:
        """Whether ``expected_bytes`` is no guess: the optimizers have their state, or are of those with two moments."""
        return all(map(is_known, self.optimizers.values()))

    def architecture(self) -> dict[str, list[object]]:
        """``{"model.fc.weight": [[2, 3], "float32"], …}`` for every tensor of every module's state."""
        return {path: entry for adapter in self._modules.values() for path, entry in adapter.architecture().items()}

    def optimizer_parameters(self) -> dict[str, Names]:
        """Per optimizer and parameter group, the full names of the parameters, in the optimizer's order."""
        known = self._known()
        return {name: adapter.names(known) for name, adapter in self._optimizers.items()}

    def parameters(self) -> dict[str, torch.Tensor]:
        """Everything that may carry a gradient, each tensor once, by its full name."""
        known = self._known()
        named: dict[str, torch.Tensor] = {
            known[id(p)]: p for adapter in self._modules.values() for _, p in adapter.parameters()
        }
        named.update({n: obj for n, obj in self._objects.items() if isinstance(obj, torch.Tensor)})
        for adapter in self._optimizers.values():
            named.update(adapter.strangers(known))
        return named

    def compare_architecture(self, saved: Mapping[str, Any], late: Collection[str] = ()) -> None:
        """Raise ``ArchitectureChangedError`` naming every tensor that is missing, new, or of another shape or dtype.

        ``late`` are the names of buffers that will be registered, or be given the saved shape.
        """
        current = self.architecture()
        current.update({path: saved[path] for path in late if path in saved})
        for adapter in self._modules.values():
            current.update({path: saved[path] for path in adapter.empty_buffers() if path in saved})
        compare_architectures(saved, current)

    def restore(
        self,
        states: Mapping[str, Any],
        optimizer_parameters: Mapping[str, Names] | None = None,
        extras: Mapping[str, Any] | None = None,
        *,
        attributes: Mapping[str, Any] | None = None,
        prologue_follows: bool = False,
    ) -> None:
        """Bring everything tracked to the saved state, bit for bit; may be called again with the same payload.

        All that can be checked is checked before anything is touched. Modules come first, then optimizers,
        matched to their parameters by name, then the rest in the order of tracking (a scheduler's state goes
        over the optimizer's). A file of a plain script has neither names nor extras: what it does not hold stays
        as it was built, and that is logged. Groups that an optimizer was given in the course of the run are given to
        it again; where an epoch's prologue follows, which may do that itself, only in the restore after it.
        Raises ``ArchitectureChangedError``.
        """
        self.remember_built()
        self._stepping.forget()
        states = {name: state for name, state in states.items() if state is not None}
        matching.compare_names(self._objects, states, plain=extras is None)
        matching.compare_kinds(self._objects, states, extras)
        kept = decode(dict(extras), "extras") if extras is not None else None
        if kept is not None:
            matching.compare_classes(self._objects, kept.get("classes", {}))
        wanted = {name: adapter.fit(states[name]) for name, adapter in self._modules.items() if name in states}
        self.compare_architecture(
            {path: entry for name, state in wanted.items() for path, entry in architecture_of(name, state).items()},
            {f"{name}.{path}" for name in wanted for path in self._modules[name].can_grow(kept or {})},
        )
        plans = self._plans(states, optimizer_parameters or {}, kept.get("late_groups", {}) if kept is not None else {})
        if kept is not None:
            matching.compare_functions(kept["functions"], self._functions())
            self._compare_strangers(kept["optimizers"])

        for name, state in wanted.items():
            self._modules[name].grow(kept or {}, state)
            self._modules[name].restore(state, getattr(states[name], "_metadata", None))
        for name, (decoded, plan) in plans.items():
            self._optimizers[name].restore(decoded, plan, add_late=not prologue_follows)
        if kept is not None:
            self._restore_extras(kept)
        others = {name: decode(states[name], name) for name in self._others if name in states}
        for name, state in others.items():
            self._others[name].load(state)
        if attributes is not None:
            self._restore_attributes(attributes, prologue_follows=prologue_follows)
        for name, state in others.items():
            self._others[name].check(state)

    def try_state(self, name: str, state: Any, kind: str | None, parameters: Names | None) -> None:
        """Raise ``ArchitectureChangedError`` or ``CheckpointDamagedError`` unless one object could take a state alone.

        For all but modules. ``kind``: of which class it is said to be; ``parameters``: the names of an optimizer's.
        """
        obj, known = self._objects[name], {path: parameter for parameter, path in self._known_tensors()}
        if kind is not None:
            matching.compare_classes({name: obj}, {name: kind})
        if name in self._optimizers:
            if not isinstance(state, Mapping):
                raise ArchitectureChangedError("state_kind_changed", name=name, new=type(obj).__name__)
            self._optimizers[name].plan(state, parameters, known)
            return
        adapter = self._others[name]
        before = own_copy(adapter.state(), name)
        alike = not isinstance(before, Mapping) or (isinstance(state, Mapping) and state.keys() == before.keys())
        if not alike and not isinstance(adapter, ContainerState):  # what it took of another kind it would keep
            raise ArchitectureChangedError("state_kind_changed", name=name, new=type(obj).__name__)
        try:
            adapter.restore(state)
        finally:
            adapter.take(before)

    def take(self, name: str, state: Any, parameters: Names | None = None) -> None:
        """Have one object take a state that ``try_state`` found to fit; of a module all of it, in its own names."""
        if name in self._modules:
            self._modules[name].restore(state, getattr(self._modules[name].state(), "_metadata", None))
        elif name in self._optimizers:
            optimizer, known = self._optimizers[name], {path: value for value, path in self._known_tensors()}
            optimizer.restore(state, optimizer.plan(state, parameters, known))
        else:
            self._others[name].restore(state)

    def _restore_attributes(self, saved: Mapping[str, Any], *, prologue_follows: bool) -> None:
        try:
            self._attributes.restore(decode(dict(saved), "attributes"), prologue_follows=prologue_follows)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise CheckpointDamagedError("state_bad_encoding", path="attributes", detail=one_line(error)) from error

    def _plans(
        self, states: Mapping[str, Any], names: Mapping[str, Names], late_groups: Mapping[str, int]
    ) -> dict[str, tuple[dict[str, Any], Plan]]:
        known = {name: parameter for parameter, name in self._known_tensors()}
        plans = {}
        for name, adapter in self._optimizers.items():
            if name in states:
                decoded = decode(states[name], name)
                plans[name] = (decoded, adapter.plan(decoded, names.get(name), known, late_groups.get(name, 0)))
        return plans

    def _owners(self, also: Container[str]) -> Iterator[Owner]:
        for module in self._modules.values():
            yield from module.owners(also)
        for name, optimizer in self.optimizers.items():
            yield Owner(name, vars(optimizer), of_optimizers(), type(optimizer))
        for name, adapter in self._others.items():
            obj = self._objects[name]
            if is_looked_into(obj) and is_users(type(obj)) and not isinstance(adapter, ContainerState):
                fixed = all(map(is_fixed, vars(obj).values()))
                yield Owner(name, vars(obj), frozenset() if fixed else covered(obj, adapter.state()), type(obj))

    def objects_by_name(self) -> dict[str, object]:
        """All that attributes may refer to: what is tracked, its parts, and the containers of optimizers."""
        found: dict[str, object] = {name: parameter for parameter, name in self._known_tensors()}
        for module in self._modules.values():
            found.update(module.known())
            for name in module.left_out():
                found.pop(name, None)
        for name, adapter in self._optimizers.items():
            optimizer = adapter.optimizer
            found[f"{name}.state"], found[f"{name}.param_groups"] = optimizer.state, optimizer.param_groups
            found.update({f"{name}.param_groups[{i}]": group for i, group in enumerate(optimizer.param_groups)})
            found.update(adapter.strangers(self._known()))
        return {**self._objects, **found}

    def _functions(self) -> dict[str, dict[str, str]]:
        """Fingerprints of the functions that objects hold and their state leaves out."""
        return {name: one.functions() for kind in (self._others, self._modules) for name, one in kind.items()}

    def _adapter(self, name: str) -> Adapter:
        return self._modules.get(name) or self._optimizers.get(name) or self._others[name]

    def _known(self) -> dict[int, str]:
        """The name of each parameter by its identity; of several names the first in the alphabet.

        Not the first tracked: it must not depend on the order of tracking.
        """
        return {id(parameter): name for parameter, name in self._known_tensors()}

    def _known_tensors(self) -> list[tuple[torch.Tensor, str]]:
        return matching.named_tensors(self._objects, self._modules.values())

    def _compare_strangers(self, kept: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
        known = self._known()
        for name, saved in kept.items():
            live = self._optimizers[name].strangers(known)
            for path, value in saved.items():
                check_same_shape(path, live[path], value)

    def _restore_extras(self, kept: Mapping[str, Any]) -> None:
        known = self._known()
        for name, saved in kept["modules"].items():
            self._modules[name].restore_extras(saved)
        for name, saved in kept["optimizers"].items():
            live = self._optimizers[name].strangers(known)
            for path, value in saved.items():
                with torch.no_grad():
                    live[path].copy_(value)

"""Optimizers: their state follows the parameters by name, never by the order they were handed over in."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim import Optimizer

from unbroken import messages
from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError, UnsavableStateError, is_refusal
from unbroken.state.adapters import one_line, refusals_told
from unbroken.state.encoding import child_path, encode
from unbroken.state.snapshot import equal_bits, own_copy

_log = logging.getLogger("unbroken")

Names = list[list[str]]
"""Per parameter group, the full names of its parameters in the optimizer's order."""

# State of these names has its parameter's shape in every optimizer of torch.
_SHAPED = frozenset(
    {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "momentum_buffer", "square_avg", "grad_avg", "acc_delta"}
)


@dataclass(frozen=True)
class Plan:
    """How a saved optimizer state fits the live optimizer.

    ``saved`` and ``live`` name the parameters of each group; ``late`` has, by their index, the saved groups that
    were added in the course of the run and are not there yet.
    """

    saved: Names
    live: Names
    late: dict[int, list[torch.Tensor]] = field(default_factory=dict)


class OptimizerState:
    """The whole state of one optimizer."""

    def __init__(self, name: str, optimizer: Optimizer) -> None:
        self.name = name
        self.optimizer = optimizer
        self._built = len(optimizer.param_groups)

    @property
    def late_groups(self) -> int:
        """How many groups were added since it was tracked (layers unfrozen one after the other)."""
        return len(self.optimizer.param_groups) - self._built

    def state(self) -> dict[str, Any]:
        try:
            return self.optimizer.state_dict()
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            if is_refusal(error):
                raise
            # A parameter that has state and is in no group any more, for one.
            raise UnsavableStateError("state_get_failed", name=self.name, detail=one_line(error)) from error

    def take(self, state: dict[str, Any]) -> None:
        """Load a state as it is, without a look at names."""
        self._load(state)

    def names(self, known: Mapping[int, str]) -> Names:
        """The names of its parameters; ``known`` maps ``id(parameter)`` to the name it has in what is tracked.

        A parameter of nothing tracked has the name it was given (``param_names``), or that of its position.
        """
        names = []
        for g, group in enumerate(self.optimizer.param_groups):
            given = group.get("param_names") or [f"[{g}][{i}]" for i in range(len(group["params"]))]
            own = (child_path(self.name, n) if n[0] != "[" else self.name + n for n in given)
            names.append([known.get(id(p), n) for p, n in zip(group["params"], own, strict=True)])
        return names

    def strangers(self, known: Mapping[int, str]) -> dict[str, torch.Tensor]:
        """The parameters that belong to nothing tracked: nobody but the optimizer could keep their values."""
        return {
            name: parameter
            for names, group in zip(self.names(known), self.optimizer.param_groups, strict=True)
            for name, parameter in zip(names, group["params"], strict=True)
            if id(parameter) not in known
        }

    def plan(
        self,
        saved: Mapping[str, Any],
        saved_names: Names | None,
        parameters: Mapping[str, torch.Tensor],
        late_groups: int = 0,
    ) -> Plan:
        """How ``saved`` fits. ``parameters`` are all that are tracked, by name; of its last ``late_groups`` groups a
        freshly built optimizer need have none.

        Nothing is touched. Raises ``ArchitectureChangedError`` naming the parameters that make it impossible.
        """
        try:
            sizes = [len(group["params"]) for group in saved["param_groups"]]
        except (KeyError, TypeError) as error:
            raise CheckpointDamagedError("state_optimizer_broken", name=self.name) from error
        live = self.names({id(parameter): name for name, parameter in parameters.items()})
        if saved_names is None:
            return self._plan_unnamed(saved, sizes, live)
        if [len(names) for names in saved_names] != sizes:
            raise CheckpointDamagedError("state_optimizer_broken", name=self.name)
        there = {name for names in live for name in names}
        late = {
            i: [parameters[name] for name in names]
            for i, names in enumerate(saved_names)
            if i >= len(saved_names) - late_groups and all(n in parameters and n not in there for n in names)
        }
        match_groups(self.name, [names for i, names in enumerate(saved_names) if i not in late], live)
        return Plan(saved_names, live, late)

    def restore(self, saved: dict[str, Any], plan: Plan, *, add_late: bool = True) -> None:
        """Load ``saved`` (decoded), after adding the late groups and bringing the live parameters into its order."""
        names, live = plan.saved, plan.live
        if add_late:
            self._add_late(saved, plan)
            live = [*live, *(names[i] for i in plan.late)]
        elif plan.late:
            saved = _without_groups(saved, plan.late.keys())
            names = [group for i, group in enumerate(names) if i not in plan.late]
        self._reorder(match_groups(self.name, names, live))
        with refusals_told(self.name):
            self._load(_looked_up(own_copy(saved, self.name)))
        self._put_back(saved)

    def _load(self, state: dict[str, Any]) -> None:
        """Load it; an optimizer that shared the containers of one inside shares those that come in their place."""
        outer = vars(self.optimizer)
        inner = [vars(one) for one in outer.values() if isinstance(one, Optimizer) and one is not self.optimizer]
        shared = [
            (held, key, outer[key])
            for held in inner
            for key in ("state", "param_groups")
            if key in held and held[key] is outer.get(key)
        ]
        self.optimizer.load_state_dict(state)
        for held, key, before in shared:
            changed = outer[key] if held[key] is before else held[key]
            outer[key] = held[key] = changed

    def _add_late(self, saved: Mapping[str, Any], plan: Plan) -> None:
        for i, parameters in plan.late.items():
            given = saved["param_groups"][i].get("param_names")
            named = parameters if given is None else list(zip(given, parameters, strict=True))
            self.optimizer.add_param_group({"params": named})
        if plan.late:
            added = ", ".join(name for i in plan.late for name in plan.saved[i])
            _log.info(messages.text("state_groups_added", name=self.name, names=added))

    def _plan_unnamed(self, saved: Mapping[str, Any], sizes: list[int], live: Names) -> Plan:
        """The plan for a file that says no names: those torch may have written into it, else the positions."""
        given = [group.get("param_names") for group in saved["param_groups"]]
        prefixes = {name.partition(".")[0] + "." for names in live for name in names if "." in name}
        if all(given):
            for prefix in sorted(prefixes):
                named = [[prefix + n for n in names] for names in given]
                if sorted(n for names in named for n in names) == sorted(n for names in live for n in names):
                    match_groups(self.name, named, live)
                    return Plan(named, live)
        if sizes != [len(names) for names in live]:
            raise ArchitectureChangedError(
                "state_optimizer_sizes", name=self.name, old=sizes, new=[len(names) for names in live]
            )
        self._check_shapes(saved)
        return Plan(live, live)

    def _check_shapes(self, saved: Mapping[str, Any]) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for index, state in saved["state"].items():
            if type(index) is not int or not 0 <= index < len(parameters) or not isinstance(state, dict):
                continue
            for key, value in state.items():
                shape = list(parameters[index].shape)
                if key in _SHAPED and isinstance(value, torch.Tensor) and list(value.shape) != shape:
                    raise ArchitectureChangedError(
                        "state_optimizer_shape",
                        path=f"{self.name}.state[{index}].{key}",
                        old=list(value.shape),
                        new=shape,
                    )

    def _reorder(self, plan: list[tuple[int, list[int]]]) -> None:
        """Bring the live parameters into the saved order, inside the lists that others may hold (LBFGS does).

        Not the saved state into the live order: sums over an optimizer's parameters (norms, LBFGS's
        flattened vectors) depend on it in their last bits.
        """
        groups = self.optimizer.param_groups
        arranged = [groups[live] for live, _ in plan]
        for group, (_, indices) in zip(arranged, plan, strict=True):
            if indices != list(range(len(indices))):
                group["params"][:] = [group["params"][i] for i in indices]
                if group.get("param_names"):
                    group["param_names"][:] = [group["param_names"][i] for i in indices]
        groups[:] = arranged

    def _put_back(self, saved: dict[str, Any]) -> None:
        """Undo what ``load_state_dict`` did to values: it casts state to the parameter's dtype, for one."""
        root = f"{self.name}.state"
        loaded = self.optimizer.state_dict()
        self._check_groups(saved["param_groups"], loaded["param_groups"])
        if equal_bits(encode(saved["state"], root), encode(loaded["state"], root)) is None:
            return
        parameters = {
            index: parameter
            for packed, group in zip(loaded["param_groups"], self.optimizer.param_groups, strict=True)
            for index, parameter in zip(packed["params"], group["params"], strict=True)
        }
        for index, value in saved["state"].items():
            key = parameters.get(index, index)
            self.optimizer.state[key] = _exact(own_copy(value, root), self.optimizer.state.get(key))
        found = _difference(saved["state"], self.optimizer.state_dict()["state"], root)
        if found is not None:
            raise ArchitectureChangedError("state_not_restored", path=found)

    def _check_groups(self, saved: list[dict[str, Any]], loaded: list[dict[str, Any]]) -> None:
        for i, (old, new) in enumerate(zip(saved, loaded, strict=True)):
            root = f"{self.name}.param_groups[{i}]"
            # An optimizer of a newer version may add settings of its own.
            kept = {key: new.get(key) for key in old if key != "params"}
            wanted = {key: value for key, value in old.items() if key != "params"}
            found = equal_bits(encode(wanted, root), encode(kept, root), root)
            if found is not None:
                raise ArchitectureChangedError("state_not_restored", path=found)


class _Numbers(list[Any]):
    """The numbers of a group's parameters: torch asks of each state whether its number is among them."""

    _known: frozenset[Any] | None = None

    def __contains__(self, number: object) -> bool:
        if self._known is None:
            self._known = frozenset(self)
        return number in self._known


def _looked_up(state: dict[str, Any]) -> dict[str, Any]:
    """``state``, its groups so that torch's search through them takes as long for many parameters as for few."""
    groups = [
        {**group, "params": _Numbers(group["params"])} if set(map(type, group["params"])) <= {int} else group
        for group in state["param_groups"]
    ]
    return {**state, "param_groups": groups}


def match_groups(name: str, saved: Names, live: Names) -> list[tuple[int, list[int]]]:
    """For each saved group the live one with the same parameters, and each parameter's index in it.

    Raises ``ArchitectureChangedError`` naming the parameters that are missing, new, or in another group.
    """
    saved_names = {n for names in saved for n in names}
    live_names = {n for names in live for n in names}
    if saved_names != live_names:
        raise ArchitectureChangedError(
            "state_optimizer_parameters",
            name=name,
            missing=_listed(n for names in saved for n in names if n not in live_names),
            new=_listed(n for names in live for n in names if n not in saved_names),
        )
    free = list(range(len(live)))
    matched = []
    for names in saved:
        fit = next((g for g in free if sorted(live[g]) == sorted(names)), None)
        if fit is None:
            raise ArchitectureChangedError("state_optimizer_groups", name=name, names=_listed(names))
        free.remove(fit)
        places = {n: i for i, n in enumerate(live[fit])}
        matched.append((fit, [places[n] for n in names]))
    if free:
        raise ArchitectureChangedError("state_optimizer_groups", name=name, names=_listed(live[free[0]]))
    return matched


def _without_groups(saved: Mapping[str, Any], left_out: Collection[int]) -> dict[str, Any]:
    """An optimizer's state without some of its groups, the parameters left numbered anew."""
    groups = [group for i, group in enumerate(saved["param_groups"]) if i not in left_out]
    numbers = {old: new for new, old in enumerate(index for group in groups for index in group["params"])}
    return {
        **saved,
        "param_groups": [{**group, "params": [numbers[index] for index in group["params"]]} for group in groups],
        "state": {numbers.get(k, k): v for k, v in saved["state"].items() if k in numbers or type(k) is not int},
    }


def _exact(saved: Any, loaded: Any) -> Any:
    """``saved`` bit for bit, on the devices that torch chose for it."""
    if isinstance(loaded, torch.Tensor):
        if not isinstance(saved, torch.Tensor):
            return loaded  # a step count of an older torch, made a tensor by this one
        return loaded if equal_bits(saved, loaded) is None else saved.to(loaded.device)
    if isinstance(saved, dict):
        return {k: _exact(v, loaded.get(k) if isinstance(loaded, dict) else None) for k, v in saved.items()}
    if type(saved) in (list, tuple):
        others = loaded if type(loaded) is type(saved) and len(loaded) == len(saved) else [None] * len(saved)
        return type(saved)(_exact(v, o) for v, o in zip(saved, others, strict=True))
    return saved


def _difference(saved: Any, live: Any, path: str) -> str | None:
    if isinstance(saved, dict) and isinstance(live, dict) and saved.keys() == live.keys():
        found = (_difference(saved[k], live[k], child_path(path, k)) for k in saved)
        return next((f for f in found if f is not None), None)
    if isinstance(live, torch.Tensor) and not isinstance(saved, torch.Tensor):
        return None
    return equal_bits(encode(saved, path), encode(live, path), path)


def _listed(names: Any) -> str:
    return ", ".join(names) or "-"

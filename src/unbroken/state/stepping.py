"""Stepping: whether what is tracked as an optimizer still is the one that trains its parameters."""

import logging
from collections.abc import Iterator, Mapping

import torch
from torch.optim import Optimizer

from unbroken import messages
from unbroken.state.hooks import after_each_step
from unbroken.state.snapshot import bytes_of
from unbroken.store.tensors import tensor_digest

_log = logging.getLogger("unbroken")

_MOST = 8  # parameters of an optimizer that are looked at, the smallest
_LARGEST = 1 << 20  # bytes of one of them
_AT_ONCE = 4  # steps of training: so many without a step of the optimizer's are enough, with fewer it takes two looks


class Stepping:
    """Looked at from save to save: an optimizer that took no step while its parameters changed is told once.

    It is not where another tracked optimizer of the same parameters took one, where a step is skipped or a phase is
    frozen (the parameters stay), or where an optimizer works through methods of its own (its state changes).
    """

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}

    def look(self, optimizers: Mapping[str, Optimizer], step: int) -> None:
        """To be called at each save, after ``step`` steps of training."""
        for name, optimizer in optimizers.items():
            if name not in self._watched:
                self._watched[name] = _Watched(optimizer)
        awake = {id(p) for watched in self._watched.values() if watched.is_awake() for p in watched.parameters()}
        for name, watched in self._watched.items():
            if watched.is_left_behind(step, awake):
                _log.warning(messages.text("state_optimizer_asleep", name=name, kind=type(optimizers[name]).__name__))

    def forget(self) -> None:
        """The state is another one: the next look only begins."""
        for watched in self._watched.values():
            watched.forget()


class _Watched:
    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._steps = 0
        self._said = False
        hooks = [after_each_step(one, self._after_step) for one in (optimizer, *_inside(optimizer))]
        self._hooked = any(hook is not None for hook in hooks)
        self.forget()

    def forget(self) -> None:
        self._seen: tuple[int, list[str], str] | None = None
        self._suspected = 0

    def parameters(self) -> Iterator[torch.Tensor]:
        return (parameter for group in self._optimizer.param_groups for parameter in group["params"])

    def is_awake(self) -> bool:
        return self._steps > 0 or (self._seen is not None and self._seen[2] != self._own())

    def is_left_behind(self, step: int, awake: set[int]) -> bool:
        """Whether it has to be said now. What was seen is forgotten, and looked at anew."""
        sample = self._sample()
        before, awake_now = self._seen, self.is_awake()
        digests = [tensor_digest(parameter.detach().cpu()) for parameter in sample]
        self._steps, self._seen = 0, (step, digests, self._own())
        if self._said or not self._hooked or before is None or step <= before[0]:
            return False
        changed = len(digests) == len(before[1]) and digests != before[1]
        if awake_now or not changed or any(id(parameter) in awake for parameter in sample):
            self._suspected = 0
            return False
        self._suspected += 1
        self._said = self._suspected > 1 or step - before[0] >= _AT_ONCE
        return self._said

    def _sample(self) -> list[torch.Tensor]:
        dense = [
            p for p in self.parameters() if p.layout is torch.strided and p.requires_grad and bytes_of(p) <= _LARGEST
        ]
        return sorted(dense, key=lambda p: p.numel())[:_MOST]

    def _own(self) -> str:
        """What tells that an optimizer works, also where it is not asked for a step."""
        state = self._optimizer.state
        counts = [kept.get("step") for kept in state.values() if isinstance(kept, dict)][:_MOST]
        numbers = [float(count) for count in counts if isinstance(count, (int, float, torch.Tensor))]
        return repr((len(state), numbers))

    def _after_step(self, optimizer: Optimizer) -> None:
        self._steps += 1


def _inside(optimizer: Optimizer, depth: int = 0) -> Iterator[Optimizer]:
    """Optimizers that another one holds and hands its steps on to."""
    if depth < 3:
        for value in list(vars(optimizer).values()):
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(one, Optimizer) and one is not optimizer:
                    yield one
                    yield from _inside(one, depth + 1)

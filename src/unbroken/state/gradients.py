"""Gradients: what is left of an unfinished accumulation, told apart from what the next step throws away."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from weakref import ref

import torch
from torch.optim import Optimizer

from unbroken.errors import ArchitectureChangedError
from unbroken.state.adapters import check_same_shape
from unbroken.state.encoding import decode
from unbroken.state.hooks import after_each_step
from unbroken.state.tracked import Tracked

_Seen = tuple["torch.Tensor | ref[torch.Tensor]", int]  # a gradient at a step, and its version then

_EVIDENCE = 64  # more than the batches of any common accumulation: a loop may drop gradients only now and then
_HELD = (
    4096  # elements: a gradient up to here is held after its step, of a larger one it is only seen whether it is there
)


class Gradients:
    """Which gradients a checkpoint needs, as seen from what the loop does with them.

    A gradient is left out only where nobody can miss it, judged for each parameter by itself: every optimizer of it
    has consumed the gradient in a step and nothing was added since (it is *spent*), and the last 64 times its gradient
    was spent it was dropped, not added to, before it was needed (*proven*). Everything unproven is saved, as in the
    first batches of a process: that costs space, the other mistake costs the run. Gradients of parameters without an
    optimizer are saved as well.

    What cannot be seen from outside is a loop that only reads a spent gradient before it drops it, or that puts in its
    place a new one made of it. Both have to name it: ``may_be_read`` says whether code of the user's does so anywhere,
    and while it does every gradient is saved.
    """

    def __init__(self, tracked: Tracked, may_be_read: Callable[[], bool] = lambda: False) -> None:
        self._tracked = tracked
        self._may_be_read = may_be_read

    @cached_property
    def _witnesses(self) -> dict[str, "_Witness"]:
        # Asked for when the run has begun; from then on nothing more is tracked.
        return {name: _Witness(optimizer) for name, optimizer in self._tracked.optimizers.items()}

    def note_boundary(self) -> None:
        """To be called at every batch boundary (a third of a microsecond per parameter)."""
        for witness in self._witnesses.values():
            witness.note_boundary()

    def capture(self) -> dict[str, torch.Tensor] | None:
        """The live gradients to save, by their parameter's full name; ``None`` when there are none."""
        owners: dict[int, list[bool]] = {}
        for name in self._tracked.optimizers:
            for parameter, disposable in self._witnesses[name].judged():
                owners.setdefault(id(parameter), []).append(disposable)
        captured: dict[str, torch.Tensor] = {}
        left_out: dict[str, torch.Tensor] = {}
        for name, parameter in self._tracked.parameters().items():
            if parameter.grad is not None:
                judged = owners.get(id(parameter), [False])
                (left_out if all(judged) else captured)[name] = parameter.grad
        if left_out and self._may_be_read():
            captured.update(left_out)
        return captured or None

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """Set exactly the saved gradients and drop all others. Raises ``ArchitectureChangedError``."""
        parameters = self._tracked.parameters()
        values: dict[str, torch.Tensor] = decode(dict(saved or {}), "grads")
        for name, value in values.items():
            if name not in parameters:
                raise ArchitectureChangedError("state_gradient_homeless", name=name)
            check_same_shape(name, parameters[name], value)
        for name, parameter in parameters.items():
            gradient = values.get(name)
            parameter.grad = None if gradient is None else gradient.to(parameter.device, copy=True)
        for witness in self._witnesses.values():
            witness.forget()


class _Witness:
    """Watches what becomes of the gradients of one optimizer, parameter by parameter.

    The gradient's object tells whether it was dropped (``set_to_none``), its version counter whether it was added to;
    large ones are not kept alive for that, and are compared again before the next step. A gradient made with
    ``create_graph`` is added to out of place, and so is a dense one to a sparse one: neither proves anything.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._parameters: list[torch.Tensor] = []
        self.forget()
        # One that takes no hooks is seen to consume nothing, and all is saved.
        after_each_step(optimizer, self._after_step)

    def forget(self) -> None:
        self._dropped = dict.fromkeys(map(id, self._parameters), 0)
        self._consumed: list[_Seen | None] = []
        self._awaited: list[_Seen | None] = []

    def note_boundary(self) -> None:
        dropped = self._dropped
        for parameter, seen in zip(self._parameters, self._awaited, strict=False):
            if seen is not None:
                self._judge(parameter, *seen)
        awaited: list[_Seen | None] = []
        for parameter, seen in zip(self._parameters, self._consumed, strict=False):
            gradient = parameter.grad
            if seen is None or gradient is None or not _is_spent(gradient, *seen):
                awaited.append(None)
            elif gradient.layout is not torch.strided or gradient.requires_grad:
                dropped[id(parameter)] = 0
                awaited.append(None)
            else:
                awaited.append(seen)
        self._awaited = awaited

    def judged(self) -> Iterator[tuple[torch.Tensor, bool]]:
        """Each parameter of the optimizer, and whether its gradient may be left out of a checkpoint."""
        consumed = {id(p): seen for p, seen in zip(self._parameters, self._consumed, strict=False)}
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                seen, gradient = consumed.get(id(parameter)), parameter.grad
                proven = self._dropped.get(id(parameter), 0) >= _EVIDENCE
                yield parameter, proven and seen is not None and gradient is not None and _is_spent(gradient, *seen)

    def _after_step(self, optimizer: Optimizer) -> None:
        for parameter, seen in zip(self._parameters, self._awaited, strict=False):
            if seen is not None:
                held, version = seen
                gradient = _held(held)
                if gradient is not None and gradient._version != version:  # added to, and stepped on
                    self._dropped[id(parameter)] = 0
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        if list(map(id, parameters)) != list(map(id, self._parameters)):
            self._parameters, self._awaited = parameters, []
            self._dropped = {id(p): self._dropped.get(id(p), 0) for p in parameters}
        self._consumed = [
            None if (g := p.grad) is None else (g if g.numel() <= _HELD else ref(g), g._version) for p in parameters
        ]

    def _judge(self, parameter: torch.Tensor, held: "torch.Tensor | ref[torch.Tensor]", version: int) -> None:
        gradient = _held(held)
        current = parameter.grad
        if current is not None and current is gradient and gradient._version == version:
            return  # nothing happened to it: this batch proves nothing
        replaced = current is not gradient or current is None
        untouched = gradient is None or gradient._version == version
        of_a_graph = current is not None and current.requires_grad
        self._dropped[id(parameter)] = (
            self._dropped[id(parameter)] + 1 if replaced and untouched and not of_a_graph else 0
        )


def _is_spent(gradient: torch.Tensor, held: "torch.Tensor | ref[torch.Tensor]", version: int) -> bool:
    """Whether it is the very one of the last step, with nothing added."""
    return _held(held) is gradient and gradient._version == version


def _held(held: "torch.Tensor | ref[torch.Tensor]") -> torch.Tensor | None:
    return held() if isinstance(held, ref) else held

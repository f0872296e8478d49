"""Gradients: what is left of an unfinished accumulation, told apart from what the next step throws away."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch._compile import _disable_dynamo
from torch.optim import Optimizer

from unbroken.errors import ArchitectureChangedError
from unbroken.state.adapters import check_same_shape
from unbroken.state.encoding import decode
from unbroken.state.tracked import Tracked

_EVIDENCE = 64  # more than the batches of any common accumulation: a loop may drop gradients only now and then


class Gradients:
    """Which gradients a checkpoint needs, as seen from what the loop does with them.

    A gradient is left out only where nobody can miss it: every optimizer of its parameter has consumed it in a
    step and nothing was added since (it is *spent*), and the last 64 times its gradients were spent they were
    dropped, not added to, before they were needed (*proven*). One parameter per optimizer, the smallest that has
    a gradient, stands for all of them. Everything unproven is saved, as in the first batches of a process: that
    costs space, the other mistake costs the run. Gradients of parameters without an optimizer are saved as well.
    """

    def __init__(self, tracked: Tracked) -> None:
        self._tracked = tracked

    @cached_property
    def _witnesses(self) -> dict[str, "_Witness"]:
        # Asked for when the run has begun; from then on nothing more is tracked.
        return {name: _Witness(optimizer) for name, optimizer in self._tracked.optimizers.items()}

    def note_boundary(self) -> None:
        """To be called at every batch boundary (a few microseconds)."""
        for witness in self._witnesses.values():
            witness.note_boundary()

    def capture(self) -> dict[str, torch.Tensor] | None:
        """The live gradients to save, by their parameter's full name; ``None`` when there are none."""
        owners: dict[int, list[_Witness]] = {}
        for name, optimizer in self._tracked.optimizers.items():
            witness = self._witnesses[name]
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    owners.setdefault(id(parameter), []).append(witness)
        captured = {}
        for name, parameter in self._tracked.parameters().items():
            if parameter.grad is None:
                continue
            witnesses = owners.get(id(parameter), [])
            if not witnesses or not all(w.disposable() for w in witnesses):
                captured[name] = parameter.grad
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
    """Watches what becomes of one optimizer's gradients, by the smallest parameter that has one.

    The gradient's object tells whether it was dropped (``set_to_none``), its version counter whether it was
    added to. A gradient made with ``create_graph`` is added to out of place and proves nothing. Not seen through:
    a loop that replaces ``.grad`` by hand with a new tensor computed from the old.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.forget()
        optimizer.register_step_post_hook(self._after_step)

    def forget(self) -> None:
        self._parameter: torch.Tensor | None = None
        self._consumed: tuple[torch.Tensor, int] | None = None
        self._awaited: tuple[torch.Tensor, int] | None = None
        self._dropped = 0

    def note_boundary(self) -> None:
        if self._awaited is not None:
            self._judge(*self._awaited)
        self._awaited = self._consumed if self._spent() else None

    def disposable(self) -> bool:
        return self._dropped >= _EVIDENCE and self._spent()

    # A compiled step would trace into the hook; torch.compiler.disable says the same, and imports dynamo for it.
    @_disable_dynamo
    def _after_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._parameter is None or not _is_dense(self._parameter.grad):
            self._parameter = _smallest(optimizer)
        gradient = None if self._parameter is None else self._parameter.grad
        self._consumed = None if gradient is None else (gradient, gradient._version)

    def _spent(self) -> bool:
        """Whether the gradients are the very ones of the last step, with nothing added."""
        if self._parameter is None or self._consumed is None:
            return False
        gradient, version = self._consumed
        return self._parameter.grad is gradient and gradient._version == version

    def _judge(self, gradient: torch.Tensor, version: int) -> None:
        assert self._parameter is not None
        current = self._parameter.grad
        if current is gradient and gradient._version == version:
            return  # nothing happened to it: this batch proves nothing
        replaced = current is not gradient and gradient._version == version
        of_a_graph = any(g is not None and g.requires_grad for g in (gradient, current))
        self._dropped = self._dropped + 1 if replaced and not of_a_graph else 0


def _smallest(optimizer: Optimizer) -> torch.Tensor | None:
    candidates = [
        parameter for group in optimizer.param_groups for parameter in group["params"] if _is_dense(parameter.grad)
    ]
    return min(candidates, key=lambda p: p.numel(), default=None)


def _is_dense(gradient: torch.Tensor | None) -> bool:
    """Whether a gradient can bear witness: a dense one is added to a sparse one out of place."""
    return gradient is not None and gradient.layout == torch.strided

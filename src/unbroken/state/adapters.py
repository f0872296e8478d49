"""Adapters: which objects can be tracked beside modules, optimizers and containers; how each is saved, restored."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch.quasirandom import SobolEngine

from unbroken.errors import ArchitectureChangedError, UnsavableStateError, UsageError, is_refusal
from unbroken.state.encoding import encode
from unbroken.state.expanded import spread
from unbroken.state.functions import fingerprints
from unbroken.state.snapshot import equal_bits, own_copy
from unbroken.state.spawning import set_state, state_of

GENERATORS = (torch.Generator, np.random.Generator, np.random.BitGenerator, np.random.RandomState, random.Random)


@runtime_checkable
class Stateful(Protocol):
    """What most of torch's ecosystem speaks."""

    def state_dict(self) -> Any: ...
    def load_state_dict(self, state_dict: Any, /) -> object: ...


class ObjectState:
    """The state of one object: how it is read and set, and which functions it leaves out."""

    def __init__(self, name: str, owner: object, get: Callable[[], Any], put: Callable[[Any], object]) -> None:
        self.name = name
        self._owner = owner
        self._get = get
        self.take = put

    def state(self) -> Any:
        try:
            return self._get()
        except Exception as error:
            raise UnsavableStateError("state_get_failed", name=self.name, detail=one_line(error)) from error

    def functions(self) -> dict[str, str]:
        """Fingerprints of the functions that the object holds and its state cannot (LambdaLR's)."""
        owner = self._owner
        return fingerprints(owner) if isinstance(owner, Stateful) and hasattr(owner, "__dict__") else {}

    def restore(self, saved: Any) -> None:
        """Set the (decoded) state, and make sure that it reads back as it was saved, bit for bit."""
        self.load(saved)
        self.check(saved)

    def load(self, saved: Any) -> None:
        """Set the (decoded) state."""
        with refusals_told(self.name):
            self.take(own_copy(saved, self.name))

    def check(self, saved: Any) -> None:
        """Raise ``ArchitectureChangedError`` unless it reads back as it was saved, bit for bit."""
        found = equal_bits(encode(saved, self.name), encode(self._get(), self.name), self.name)
        if found is not None:
            raise ArchitectureChangedError("state_not_restored", path=found)


def adapt(name: str, obj: object) -> ObjectState:
    """The adapter for ``obj``; ``UsageError`` where its state could not be restored."""
    if isinstance(obj, torch.Tensor):
        return ObjectState(name, obj, lambda: {"tensor": obj}, lambda saved: _copy_into(name, obj, saved["tensor"]))
    if isinstance(obj, torch.Generator):
        return ObjectState(
            name,
            obj,
            lambda: {"device": obj.device.type, "state": obj.get_state()},
            lambda saved: obj.set_state(saved["state"]),
        )
    if isinstance(obj, np.random.Generator):
        return _bit_generator(name, obj.bit_generator)
    if isinstance(obj, np.random.BitGenerator):
        return _bit_generator(name, obj)
    if isinstance(obj, np.random.RandomState):
        return ObjectState(name, obj, lambda: dict(obj.get_state(legacy=False)), obj.set_state)
    if isinstance(obj, random.Random) and not isinstance(obj, random.SystemRandom):
        return ObjectState(name, obj, lambda: {"state": obj.getstate()}, lambda saved: obj.setstate(saved["state"]))
    if isinstance(obj, SobolEngine):
        return ObjectState(name, obj, lambda: sobol_state(obj), lambda saved: _fast_forward(obj, saved["drawn"]))
    if isinstance(obj, Stateful) and not isinstance(obj, type):
        return ObjectState(name, obj, obj.state_dict, obj.load_state_dict)
    if hasattr(obj, "__dict__") and type(obj).__module__ not in ("builtins", "random"):
        raise UsageError("state_attributes_trackable", name=name, type=type(obj).__name__)
    raise UsageError("state_not_trackable", name=name, type=type(obj).__name__)


@contextmanager
def refusals_told(name: str) -> Iterator[None]:
    """Within it an object takes a state: what it raises then is an ArchitectureChangedError that names it.

    That the system has no memory to give is no refusal of the object's, and is left as it is.
    """
    try:
        yield
    except ArchitectureChangedError:
        raise
    except Exception as error:
        if is_refusal(error):
            raise
        raise ArchitectureChangedError("state_load_failed", name=name, detail=one_line(error)) from error


def one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _bit_generator(name: str, generator: np.random.BitGenerator) -> ObjectState:
    return ObjectState(name, generator, lambda: state_of(generator), lambda saved: set_state(generator, saved))


def sobol_state(engine: SobolEngine) -> dict[str, Any]:
    """``quasi`` shows whether it was scrambled in the same way, too."""
    return {"drawn": engine.num_generated, "quasi": engine.quasi}


def _fast_forward(engine: SobolEngine, drawn: int) -> None:
    engine.reset()  # type: ignore[no-untyped-call]
    if drawn:
        engine.fast_forward(drawn)  # type: ignore[no-untyped-call]


def _copy_into(name: str, live: torch.Tensor, saved: torch.Tensor) -> None:
    check_same_shape(name, live, saved)
    with torch.no_grad(), spread([live]):
        live.copy_(saved)


def check_same_shape(path: str, live: torch.Tensor, saved: torch.Tensor) -> None:
    """Raise ``ArchitectureChangedError`` unless ``saved`` fits into ``live`` as it is."""
    if live.shape != saved.shape or live.dtype != saved.dtype:
        raise ArchitectureChangedError(
            "state_tensor_changed",
            path=path,
            old=describe(saved.shape, saved.dtype),
            new=describe(live.shape, live.dtype),
        )


def describe(shape: Iterable[int], dtype: object) -> str:
    """``float32[3, 2]``"""
    return f"{str(dtype).removeprefix('torch.')}{list(shape)}"

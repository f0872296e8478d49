"""Wrappers: what torch and other libraries put around modules, optimizers and schedulers; which kind is behind them."""

import sys
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

_SCHEDULERS = (LRScheduler, ReduceLROnPlateau)


def is_scheduler(obj: object) -> bool:
    """Whether it is one of torch's schedulers, or one derived from them, wrapped or not."""
    return isinstance(unwrapped(obj), _SCHEDULERS)


def class_name(obj: object) -> str:
    """The name of its class, without the module: a class may move. Of a class made on the fly, of the one behind it."""
    obj = unwrapped(obj)
    kinds = [kind for kind in type(obj).__mro__ if issubclass(kind, (Optimizer, *_SCHEDULERS))]
    return next((kind.__qualname__ for kind in kinds if _is_written(kind)), type(obj).__qualname__)


def unwrapped(obj: object) -> Any:
    """The optimizer, scheduler or module that a wrapper hands everything on to, or the object itself.

    Told by its make, whichever library it is of: an ``Optimizer`` without groups of its own that has another one;
    an object around a scheduler that has its state_dict and none of a scheduler's numbers; a module around just one
    whose state_dict is that of the one inside.
    """
    while (inner := _inside(obj)) is not None:
        obj = inner
    return obj


def _inside(obj: object) -> object | None:
    held = getattr(obj, "__dict__", {})
    if isinstance(obj, nn.Module):
        return _inside_module(obj)
    if isinstance(obj, Optimizer) or _speaks_as(obj, "param_groups"):
        inner = held.get("optimizer", held.get("_optimizer"))
        if isinstance(inner, Optimizer) and inner is not obj and _hands_on(obj, held, inner):
            return inner
    inner = held.get("scheduler")
    if isinstance(inner, _SCHEDULERS) and not isinstance(obj, _SCHEDULERS) and "last_epoch" not in held:
        return None if _is_written_state(obj) else inner
    return None


def _hands_on(obj: object, held: dict[str, Any], inner: Optimizer) -> bool:
    """Whether the groups are the inner one's: there are none of its own, or a copy of the whole ``__dict__``."""
    if "param_groups" not in held and "state" not in held:
        return True
    return type(obj).__mro__[0] is not type(inner) and isinstance(obj, type(inner))


def _inside_module(module: nn.Module) -> nn.Module | None:
    held = module._modules
    inner = held.get("_original_module")
    return inner if isinstance(inner, nn.Module) and "_forward_module" in held else None


def _speaks_as(obj: object, name: str) -> bool:
    return any(name in vars(kind) for kind in type(obj).__mro__)


def _is_written_state(obj: object) -> bool:
    """Whether a wrapper of a scheduler has a state of its own: numbers beside the scheduler's."""
    return any(type(value) in (int, float) for value in vars(obj).values())


def _is_written(kind: type) -> bool:
    """Whether a class stands under its name in a module, or was defined in a function."""
    if "<locals>" in kind.__qualname__:
        return True
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is kind


def bare_names(root: nn.Module) -> Callable[[str], str]:
    """What takes the parts that wrappers have put into a name out of it again."""
    wrapped = set()
    for path, module in root.named_modules(remove_duplicate=False):
        child = wrapped_child(module)
        if child is not None:
            wrapped.add(f"{path}.{child}" if path else child)
    if not wrapped:
        return lambda name: name

    def bare(name: str) -> str:
        parts, walked = [], ""
        for part in name.split("."):
            walked = f"{walked}.{part}" if walked else part
            if walked not in wrapped:
                parts.append(part)
        return ".".join(parts)

    return bare


def wrapped_child(module: nn.Module) -> str | None:
    """The name of the module that this one is a wrapper of."""
    if is_compiled(module):
        return "_orig_mod"
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return "module"
    return None


def is_compiled(module: nn.Module) -> bool:
    """Whether it is what ``torch.compile`` makes of a module."""
    return "_orig_mod" in module._modules and type(module).__name__ == "OptimizedModule"


def _without_compile(key: str) -> str:
    return key.replace("_orig_mod.", "")


def _without_parallel(key: str) -> str:
    return _without_compile(key).removeprefix("module.")


RENAMINGS: list[Callable[[str], str]] = [lambda key: key, _without_compile, _without_parallel]

"""Wrappers: what ``torch.compile`` and the parallel modules put around a module, and into its names."""

from collections.abc import Callable

from torch import nn


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

"""Which promise can be kept for a loader, decided once, by what it is."""

from typing import Any, Protocol

from torch.utils.data import DataLoader, IterableDataset

from unbroken.errors import LoaderRefusedError
from unbroken.loop.batches import Pass, PositionedLoader
from unbroken.loop.replayed import ReplayedIterable, ReplayedLoader

_STATEFUL = "torchdata.stateful_dataloader"


class ResumableLoader(Protocol):
    """A loader that can start a pass at any batch. ``promise`` is the key of the sentence that says at what cost."""

    promise: str
    workers: int
    length: int | None

    @property
    def facts(self) -> dict[str, Any]: ...

    def iterate(self, *, epoch: int, loop: int, start: int, order: int | None = None) -> Pass: ...


def resumable(loader: Any, seed: int) -> ResumableLoader:
    """The way to resume this loader exactly.

    Raises:
        LoaderRefusedError: there is none; the message says which loader and why.
    """
    name = f"{type(loader).__module__}.{type(loader).__qualname__}"
    stateful = type(loader).__module__.startswith(_STATEFUL)
    if not (isinstance(loader, DataLoader) or stateful):
        raise LoaderRefusedError("not_a_loader", loader=name)
    if not getattr(loader, "in_order", True):
        raise LoaderRefusedError("loader_out_of_order")
    if not stateful and _iterates_its_own_way(type(loader)):
        return ReplayedLoader(loader, seed)
    if isinstance(loader.dataset, IterableDataset):
        return ReplayedIterable(loader, seed)
    return PositionedLoader(loader, seed)


def _iterates_its_own_way(kind: type) -> bool:
    ours = ("__iter__", "_get_iterator", "__getattribute__", "_index_sampler")
    return any(getattr(kind, name) is not getattr(DataLoader, name) for name in ours)

"""Which kind of loader it is, how its batches are divided among ranks, what can be promised; says it."""

import logging
from collections import OrderedDict
from typing import Any

from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from unbroken import messages
from unbroken.errors import LoaderRefusedError
from unbroken.loop.batches import VERSION
from unbroken.loop.batches import ResumableLoader as ResumableLoader
from unbroken.loop.generators import search_generators
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.replayed import ReplayedIterable, ReplayedLoader
from unbroken.loop.samplers import length_of
from unbroken.loop.shares import Share

_log = logging.getLogger("unbroken")
_own_log = logging.getLogger("unbroken.rank")  # of each rank its own

_STATEFUL = "torchdata.stateful_dataloader"
# By the package that it is of: what to do about a wrapper of a loader that is none itself.
_AROUND_A_LOADER = {"lightning": "fabric_loader", "lightning_fabric": "fabric_loader", "webdataset": "web_loader"}


class Loaders:
    """The loaders of one run, each made resumable once; what is promised for each kind is said once, too.

    Only the latest are remembered: a script may make new ones in every epoch.
    """

    _most = 32

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[Any, ResumableLoader]] = OrderedDict()
        self._said: set[str] = set()

    def known(
        self, loader: Any, seed: int, version: int, share: Share | None = None, *, compiled: bool = False
    ) -> ResumableLoader:
        """The resumable form of ``loader``; ``compiled`` if a model may take its batches that is compiled.

        ``version`` is that of how positions become batches in this run; ``share`` what of them this process loads.

        Raises:
            LoaderRefusedError: as ``resumable``.
        """
        if id(loader) not in self._known:
            made = resumable(loader, seed, version, share, self._said)
            if compiled and _last_batch_is_smaller(loader):
                self._say(messages.text("compiled_for_two_shapes"))
            self._known[id(loader)] = (loader, made)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        self._known.move_to_end(id(loader))
        return self._known[id(loader)][1]

    def say_promise(self, made: ResumableLoader, *, resumed: bool = False) -> None:
        """What can be promised for a loader, when its first batches have been loaded twice; once for each kind.

        A run that was ``resumed`` has said so when it began.
        """
        loader = next((loader for loader, known in self._known.values() if known is made), None)
        if loader is None or made.repeatable is None:
            return
        facts = {"batches": made.length or "?", "workers": made.workers}
        dataset = type(loader.dataset).__qualname__
        if isinstance(made, PositionedLoader) and made.sizes is not None:
            whole, each = made.sizes
            self._say(messages.text("batch_divided", whole=whole, each=each, size=whole // each))
            if made.uneven_rest:
                said = {"count": made.uneven_rest, "size": whole // each}
                self._say(messages.text("uneven_rest", **said), logging.WARNING)
        if made.repeatable:
            self._say(messages.text(made.promise, **facts), logging.DEBUG if resumed else logging.INFO)
        else:
            self._say(messages.text("loader_not_repeatable", dataset=dataset), logging.WARNING)
        if not search_generators(loader.dataset, loader.collate_fn).whole:
            self._say(messages.text("generators_not_all_searched", dataset=dataset))

    def _say(self, sentence: str, level: int = logging.INFO) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            (_own_log if level >= logging.WARNING else _log).log(level, sentence)


def resumable(
    loader: Any, seed: int, version: int = VERSION, share: Share | None = None, said: set[str] | None = None
) -> ResumableLoader:
    """The way to resume this loader exactly; what is in ``said`` is not said once more.

    Raises:
        LoaderRefusedError: there is none; the message says which loader and why.
    """
    name = f"{type(loader).__module__}.{type(loader).__qualname__}"
    stateful = type(loader).__module__.startswith(_STATEFUL)
    if not (isinstance(loader, DataLoader) or stateful):
        key = _AROUND_A_LOADER.get(name.partition(".")[0], "not_a_loader")
        raise LoaderRefusedError(key, loader=name)
    if not getattr(loader, "in_order", True):
        raise LoaderRefusedError("loader_out_of_order")
    own_way = not stateful and _iterates_its_own_way(type(loader))
    if share is not None and share.size > 1 and (own_way or isinstance(loader.dataset, IterableDataset)):
        kind = type(loader if own_way else loader.dataset).__qualname__
        raise LoaderRefusedError("not_divisible", kind=kind, size=share.size)
    if own_way:
        return ReplayedLoader(loader, seed, version)
    if isinstance(loader.dataset, IterableDataset):
        return ReplayedIterable(loader, seed, version, set() if said is None else said)
    return PositionedLoader(loader, seed, version, share)


def _last_batch_is_smaller(loader: DataLoader[Any]) -> bool:
    batching = loader.batch_sampler
    if not isinstance(batching, BatchSampler) or batching.drop_last:
        return False
    samples, size = length_of(batching.sampler) or 0, batching.batch_size
    return samples > size and samples % size > 0


def _iterates_its_own_way(kind: type) -> bool:
    ours = ("__iter__", "_get_iterator", "__getattribute__", "_index_sampler")
    return any(getattr(kind, name) is not getattr(DataLoader, name) for name in ours)

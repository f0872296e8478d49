"""Shares: which part of each global batch a process loads, the same samples at any number of processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import BatchSampler, DataLoader, DistributedSampler

from unbroken.errors import LoaderRefusedError
from unbroken.loop.randomness import Position


@dataclass(frozen=True)
class Share:
    """That of ``rank`` of ``size``, in a run begun by ``processes``."""

    rank: int = 0
    size: int = 1
    processes: int = 1

    def bounds(self, count: int, position: Position) -> tuple[int, int]:
        """From where to where in a global batch of ``count`` samples; parts differ by one at most.

        Raises LoaderRefusedError where there is not one for each.
        """
        if count < self.size:
            raise LoaderRefusedError("batch_too_small", count=count, size=self.size, batch=position.batch + 1)
        return self.rank * count // self.size, (self.rank + 1) * count // self.size


class DistributedOrder:
    """The global batches of a loader with a ``DistributedSampler``: those of all processes that began the run, one
    behind the other, each with the ``batch_size`` of then; ``rescaled`` where the script has divided a global
    batch by the number of processes that there are now."""

    def __init__(self, batches: BatchSampler, share: Share, *, rescaled: bool = False) -> None:
        self.sampler: DistributedSampler[Any] = batches.sampler  # type: ignore[assignment]
        self.batch_size = batches.batch_size * share.size // share.processes if rescaled else batches.batch_size
        self.drop_last = batches.drop_last
        self._processes = share.processes

    def __len__(self) -> int:
        samples, size = len(self._of(0)), self.batch_size
        return samples // size if self.drop_last else -(-samples // size)

    def __iter__(self) -> Iterator[list[Any]]:
        parts = [BatchSampler(self._of(rank), self.batch_size, self.drop_last) for rank in range(self._processes)]
        for batches in zip(*parts, strict=True):
            yield [index for batch in batches for index in batch]

    def _of(self, rank: int) -> "DistributedSampler[Any]":
        theirs = self.sampler
        one: DistributedSampler[Any] = DistributedSampler(
            theirs.dataset,
            num_replicas=self._processes,
            rank=rank,
            shuffle=theirs.shuffle,
            seed=theirs.seed,
            drop_last=theirs.drop_last,
        )
        one.set_epoch(theirs.epoch)
        return one


def rest_of(loader: DataLoader[Any], processes: int) -> int:
    """How many samples the last batch of a pass has where it is smaller than the others; 0 where none is, or who knows.

    ``processes``: how many such loaders make up a global batch.
    """
    batches = loader.batch_sampler
    if type(batches) is not BatchSampler or batches.drop_last:
        return 0
    try:
        samples = len(batches.sampler)  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):
        return 0
    return samples % batches.batch_size * processes


def is_distributed(loader: DataLoader[Any]) -> bool:
    """Whether its order is that of a ``DistributedSampler``, one batch_size for each process."""
    batches = loader.batch_sampler
    sampler: Any = getattr(batches, "sampler", None)
    return type(batches) is BatchSampler and type(sampler) is DistributedSampler


def distribution_of(loader: DataLoader[Any]) -> dict[str, Any]:
    """How its ``DistributedSampler`` draws the order of which each process takes its part; {} without one."""
    if not is_distributed(loader):
        return {}
    sampler: Any = loader.batch_sampler.sampler  # type: ignore[union-attr]
    return {name: getattr(sampler, name) for name in ("seed", "shuffle", "drop_last")}


def require_divisible(loader: DataLoader[Any], share: Share) -> None:
    """Raise LoaderRefusedError where ``share.size`` processes can't divide its batches among themselves."""
    if share.size == 1:
        return
    if loader.batch_sampler is None:
        raise LoaderRefusedError("batch_not_divided", size=share.size)
    if is_distributed(loader):
        sampler: Any = loader.batch_sampler.sampler  # type: ignore[attr-defined]
        if sampler.num_replicas != share.size or sampler.rank != share.rank:
            said = {"replicas": sampler.num_replicas, "rank": sampler.rank}
            raise LoaderRefusedError("other_replicas", **said, size=share.size, this=share.rank)
    elif loader.batch_size is not None:
        require_parts(loader.batch_size, share)
        if 0 < (rest := rest_of(loader, 1)) < share.size:
            batch = len(loader)
            raise LoaderRefusedError("batch_too_small", count=rest, size=share.size, batch=batch)


def require_parts(count: int, share: Share) -> None:
    """Raise LoaderRefusedError where a global batch of so many samples has no equal parts for all."""
    if count % share.size:
        fitting = ", ".join(str(size) for size in range(1, count + 1) if count % size == 0)
        raise LoaderRefusedError("batch_not_divisible", count=count, size=share.size, fitting=fitting)

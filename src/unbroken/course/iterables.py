"""What ``run.epochs``, ``run.batches`` and ``run.steps`` give: it knows how long it is, and where it goes on."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_OF_A_LOADER = frozenset(
    {"dataset", "batch_size", "sampler", "batch_sampler", "num_workers", "drop_last", "collate_fn"}
)


class Counted(Generic[Item]):
    """To be iterated once. ``len`` is the length of the whole, ``initial`` how much of it was done before.

    So a progress bar is right after a resume: ``tqdm(epochs, initial=epochs.initial)``.
    """

    def __init__(
        self, length: int | None, initial: Callable[[], int], iterate: Callable[[], Iterator[Item]], loader: Any = None
    ) -> None:
        self._length = length
        self._initial = initial
        self._iterate = iterate
        self._loader = loader

    @property
    def initial(self) -> int:
        """How many are done already."""
        return self._initial()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("this loader has no length" if self._loader is not None else "these steps have no end")
        return self._length

    def __iter__(self) -> Iterator[Item]:
        return self._iterate()

    def __getattr__(self, name: str) -> Any:
        """What somebody's ``train(loader)`` asks of a loader."""
        if name in _OF_A_LOADER and self._loader is not None:
            return getattr(self._loader, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

"""Where training stands: whole epochs, batches of the epoch in hand, and steps over the whole run."""

from dataclasses import dataclass


@dataclass
class Cursor:
    """Counts what is *done*. ``batches`` is the length of the epoch in hand, once its loader is known, and
    ``order`` the digest of the sample indices of its batches done.

    On several ranks a batch is a global batch: one step of all of them together.
    """

    epoch: int = 0
    batch: int = 0
    batches: int | None = None
    step: int = 0
    order: int = 0

    def finish_batch(self, order: int) -> None:
        self.batch += 1
        self.step += 1
        self.order = order

    def finish_epoch(self) -> None:
        self.epoch += 1
        self.batch = 0
        self.batches = None
        self.order = 0

"""Forecast: how long the disk will last for the checkpoints a run is going to keep. Pure arithmetic."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What a run is going to keep: one checkpoint after every so many epochs, at most so many, in so many bytes."""

    every_epochs: int | None
    keep: int | None
    keep_space: int | None

    def most(self, size: int) -> int | None:
        """How many numbered checkpoints, of ``size`` bytes each, there will be at most; None without a bound."""
        if self.every_epochs is None:
            return 0
        bounds = [self.keep, None if self.keep_space is None else self.keep_space // max(size, 1)]
        return min((bound for bound in bounds if bound is not None), default=None)


def full_after(plan: Plan, *, size: int, free: int, epoch: int, missing: int) -> int | None:
    """The epoch after which there is no room for a checkpoint any more; None if there always is.

    Of ``epoch`` epochs done. ``missing``: files that the run replaces over and over, and that are not there yet; one
    more is there while it is being written.
    """
    room = (free - (missing + 1) * size) // max(size, 1)
    if room < 0:
        return epoch + 1
    most = plan.most(size)
    if plan.every_epochs is None or (most is not None and most <= room):
        return None
    return (epoch // plan.every_epochs + room + 1) * plan.every_epochs

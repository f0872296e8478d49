"""Forecast: how long the disk lasts for checkpoints kept by numbers of epochs. Pure.

Its ``Plan`` stands in run.json: ``starts`` takes no entry whose fields are others, older ones included.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What a run is going to keep: one checkpoint after every so many epochs, by which rules, in so many bytes."""

    every_epochs: int | None
    keep: int | None
    keep_space: int | None
    best: int | None = None
    every: int | None = None

    def most(self, size: int) -> int | None:
        """How many numbered checkpoints, of ``size`` bytes each, there will be at most; None without a bound."""
        if self.interval is None:
            return 0
        bounds = [self.beside if self.has_rules and self.every is None else None]
        bounds.append(None if self.keep_space is None else self.keep_space // max(size, 1))
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def interval(self) -> int | None:
        """The epochs between two numbered checkpoints; an epoch that is one of the best may be any."""
        return 1 if self.best is not None else self.every_epochs or self.every

    @property
    def has_rules(self) -> bool:
        return (self.keep, self.best, self.every) != (None, None, None)

    @property
    def beside(self) -> int:
        """How many the rules keep beside every so manieth: the newest always stays."""
        return max(self.keep or 0, 1) + (self.best or 0)


def full_after(plan: Plan, *, size: int, free: int, epoch: int, missing: int) -> int | None:
    """The epoch after which there is no room for a checkpoint any more; None if there always is.

    Of ``epoch`` epochs done. ``missing``: files that the run replaces over and over, and that are not there yet; one
    more is there while it is being written.
    """
    room = (free - (missing + 1) * size) // max(size, 1)
    if room < 0:
        return epoch + 1
    most, interval = plan.most(size), plan.interval
    if interval is None or (most is not None and most <= room):
        return None
    if plan.every is not None and room >= plan.beside:
        interval, room = plan.every, room - plan.beside
    return (epoch // interval + room + 1) * interval

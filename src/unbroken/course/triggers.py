"""When to save, and which saves are numbered: by epochs, steps, time, or because a keep rule wants one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from unbroken.keep.arguments import whole_number
from unbroken.store.runstate import Reason


@dataclass(frozen=True)
class Triggers:
    """``every_epochs`` and ``number_steps`` name a checkpoint of its own; the others renew the latest inside an epoch.

    So do ``keep_every`` and ``keep_every_steps``: what is to be kept has to be made.
    """

    every_epochs: int | None
    every_steps: int | None
    every_seconds: float | None
    number_steps: int | None = None
    keep_every: int | None = None
    keep_every_steps: int | None = None

    def __post_init__(self) -> None:
        for option in ("every_epochs", "every_steps", "number_steps", "keep_every", "keep_every_steps"):
            if getattr(self, option) is not None:
                whole_number(getattr(self, option), option)

    @property
    def counts(self) -> Mapping[str, object]:
        """What decides by a count, and so for all ranks at the same step."""
        return {name: value for name, value in vars(self).items() if name != "every_seconds"}

    def names_epoch(self, epoch: int) -> bool:
        return any(every is not None and epoch % every == 0 for every in (self.every_epochs, self.keep_every))

    def names_step(self, step: int, before: int) -> bool:
        """Whether the state after ``step`` steps is to be numbered, where the last one looked at was that ``before``.

        Boundaries may be some steps apart: the first behind a multiple counts.
        """
        both = (self.number_steps, self.keep_every_steps)
        return any(every is not None and step // every > before // every for every in both)

    def due(self, steps_since_save: int, seconds_since_save: float) -> Reason | None:
        """Why the latest checkpoint should be renewed at this batch boundary, or None."""
        if self.every_steps is not None and steps_since_save >= self.every_steps:
            return Reason.STEPS
        if self.every_seconds is not None and seconds_since_save >= self.every_seconds:
            return Reason.TIME
        return None

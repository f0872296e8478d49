"""When to save, and when under a name of its own: after so many epochs, steps, so much time; pure decisions."""

from dataclasses import dataclass

from unbroken.keep.arguments import whole_number
from unbroken.store.runstate import Reason


@dataclass(frozen=True)
class Triggers:
    """``every_epochs`` names a checkpoint of its own; the others renew the latest one inside an epoch."""

    every_epochs: int | None
    every_steps: int | None
    every_seconds: float | None

    def __post_init__(self) -> None:
        for option in ("every_epochs", "every_steps"):
            if getattr(self, option) is not None:
                whole_number(getattr(self, option), option)

    def names_epoch(self, epoch: int) -> bool:
        return self.every_epochs is not None and epoch % self.every_epochs == 0

    def due(self, steps_since_save: int, seconds_since_save: float) -> Reason | None:
        """Why the latest checkpoint should be renewed at this batch boundary, or None."""
        if self.every_steps is not None and steps_since_save >= self.every_steps:
            return Reason.STEPS
        if self.every_seconds is not None and seconds_since_save >= self.every_seconds:
            return Reason.TIME
        return None

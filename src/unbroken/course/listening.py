"""Listener: what ``course`` tells of a run, moment by moment: to the replay proof, to the audit, to a progress bar."""

from unbroken.store.runstate import Reason


class Listener:
    """Told of each moment as it comes; what it does not care for it need not define."""

    def pass_begun(self) -> None:
        """The batches of an epoch begin, or go on."""

    def given(self, loop: int, batch: object) -> None:
        """A batch of the epoch's loop number ``loop`` is about to be handed to the user, who may change it."""

    def stepped(self) -> None:
        """The user's code is done with the batch of the leading loop."""

    def stopping(self) -> None:
        """The state of a stop is being written, and training goes on."""

    def epoch_done(self) -> None:
        """All batches of the epoch are done, also where the last one's loop was left by a break."""

    def epoch_recorded(self) -> None:
        """The epoch's metrics are recorded; it is about to be saved."""

    def saved(self, step: int, reason: Reason) -> None:
        """A snapshot was handed to the writer."""

    def ended(self) -> None:
        """All epochs or steps are done."""

    def left(self) -> None:
        """The run is being closed, at its end or anywhere before; its folder can still be written to."""

    def closed(self) -> None:
        """The folder is released."""

"""Of the live objects of a run: what a checkpoint has of them, captured and restored; streams by ``randomness``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unbroken.errors import ResourcesError, is_refusal, reason_of
from unbroken.keep.cursor import Cursor
from unbroken.state.encoding import decode
from unbroken.state.gradients import Gradients
from unbroken.state.history import History
from unbroken.state.local import Locals
from unbroken.state.settings import Settings
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState
from unbroken.store.runstate import Training


@dataclass(frozen=True)
class Parts:
    """The live objects whose state makes up a checkpoint."""

    tracked: Tracked
    history: History
    user_state: UserState
    gradients: Gradients
    cursor: Cursor
    settings: Settings
    locals: Locals


def capture(parts: Parts, generators: Mapping[str, Any]) -> Training:
    """The state of ``parts``, sharing memory with them; ``generators`` counts instead of what those are in by now.

    Raises UnsavableStateError.
    """
    tracked, history, cursor = parts.tracked, parts.history, parts.cursor
    return Training(
        epoch=cursor.epoch,
        states={**tracked.state(), **generators},
        histories={metric: list(values) for metric, values in history.columns.items()},
        best_value=history.best.value,
        best_epoch=history.best.epoch,
        batch=cursor.batch,
        batches=cursor.batches,
        step=cursor.step,
        order=cursor.order,
        judged_by=(history.metric, history.mode),
        judged_since=history.since,
        partial=history.partial(),
        state=parts.user_state.values_to_save(),
        grads=parts.gradients.capture(),
        extras=tracked.extras(),
        attributes=tracked.attributes(),
        optimizer_parameters=tracked.optimizer_parameters(),
        locals=parts.locals.capture() if parts.locals.names else None,
    )


def restore(parts: Parts, training: Training, *, prologue_follows: bool = False) -> None:
    """Put a state back into the live objects; of a plain file, without our own key, what its ten keys hold.

    ``prologue_follows``: the code at an epoch's start runs next, and then the state is restored once more.

    Raises:
        ArchitectureChangedError: an object can't take the state saved for it.
        ResourcesError: there is too little memory for it.
    """
    try:
        _restore(parts, training, prologue_follows=prologue_follows)
        parts.settings.apply()
    except (MemoryError, OSError, RuntimeError) as error:
        if not is_refusal(error):
            raise
        raise ResourcesError("state_no_room", reason=reason_of(error)) from error


def _restore(parts: Parts, training: Training, *, prologue_follows: bool) -> None:
    parts.tracked.restore(
        training.states,
        training.optimizer_parameters,
        training.extras,
        attributes=training.attributes,
        prologue_follows=prologue_follows,
    )
    parts.history.restore(
        training.histories,
        training.best_value,
        training.best_epoch,
        partial=decode(training.partial),
        epoch=training.epoch,
        judged_by=training.judged_by,
        since=training.judged_since,
    )
    parts.user_state.restore(training.state)
    parts.locals.restore(decode(dict(training.locals or {}), "locals"))
    parts.gradients.restore(training.grads)
    cursor = parts.cursor
    cursor.epoch, cursor.batch, cursor.batches = training.epoch, training.batch, training.batches
    cursor.step, cursor.order = training.step, training.order

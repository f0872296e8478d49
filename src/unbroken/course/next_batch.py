"""The batch behind a save: a checkpoint says what it holds, and a resume looks before it is given out again."""

import logging
from collections.abc import Mapping, Sequence

from unbroken import messages
from unbroken.errors import LoaderRefusedError
from unbroken.keep.keeper import Keeper
from unbroken.keep.state import Parts
from unbroken.loop.content import WHOLE, content_digest

_log = logging.getLogger("unbroken")


def describe(batch: object, order: int) -> dict[str, int]:
    """What a checkpoint keeps of the batch in hand; ``order`` is the digest of the indices up to it."""
    return {"order": order, "content": content_digest(batch, WHOLE)}


def compare(
    expected: Mapping[str, int], batch: object, order: int, parts: Parts, keeper: Keeper, changed: Sequence[str]
) -> None:
    """Hold the first batch after a resume against the one that followed the save; says so if it holds other values.

    ``changed`` in between may explain that.

    Raises:
        LoaderRefusedError: it has other samples.
    """
    cursor = parts.cursor
    if order != expected["order"]:
        raise LoaderRefusedError("next_order_changed", epoch=cursor.epoch + 1, batch=cursor.batch + 1)
    if content_digest(batch, WHOLE) == expected["content"]:
        return
    step = cursor.step + 1
    if changed:
        _log.warning(messages.text("next_batch_changed", step=step, changes=messages.listed(changed)))
    else:
        _log.error(messages.text("next_batch_differs", step=step))
    keeper.keep_proof({"after": step - 1, "steps": 0, "difference": (step, ("batch",))})

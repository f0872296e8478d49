"""Counting by hand: ``enumerate`` and ``islice`` around the batches begin at 0 again in an epoch resumed inside."""

import gc
from itertools import islice
from pathlib import Path
from types import GeneratorType

_OURS = str(Path(__file__).resolve().parents[1])


def counted_anew(done: int) -> str | None:
    """``"enumerate"`` or ``"islice"`` if one just asks for the batch behind ``done`` others, and does not know of them.

    To be called while a batch is being given. Looks through the objects of the process; some tens of milliseconds.
    """
    for found in gc.get_objects():
        kind = type(found)
        if kind is not enumerate and kind is not islice:
            continue
        if not any(_is_giving(source) for source in gc.get_referents(found)):
            continue
        # What ``pickle`` is given of an enumerate: what it goes through, and the number that comes next.
        if kind is islice or found.__reduce__()[1][1] != done:
            return kind.__name__
    return None


def _is_giving(source: object) -> bool:
    return isinstance(source, GeneratorType) and source.gi_running and source.gi_code.co_filename.startswith(_OURS)

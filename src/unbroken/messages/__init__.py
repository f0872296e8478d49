"""Every sentence a user reads, in Chinese and in English, and the choice between the two."""

import os
from collections.abc import Iterable
from typing import Literal

from unbroken.messages import _audit, _cli, _disk, _loop, _run, _saving, _state, _store

Language = Literal["zh", "en"]

_SENTENCES: dict[str, tuple[str, str]] = {
    **_disk.SENTENCES,
    **_store.SENTENCES,
    **_state.SENTENCES,
    **_loop.SENTENCES,
    **_run.SENTENCES,
    **_saving.SENTENCES,
    **_audit.SENTENCES,
    **_cli.SENTENCES,
}


def language() -> Language:
    """The user's language: ``UNBROKEN_LANG``, then the locale's variables, else English."""
    for variable in ("UNBROKEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def text(key: str, /, **values: object) -> str:
    """The sentence ``key`` in the user's language, with its values filled in."""
    english, chinese = _SENTENCES[key]
    return (chinese if language() == "zh" else english).format(**values)


def listed(parts: Iterable[str]) -> str:
    """Several parts of a sentence with the commas of the user's language."""
    return ("、" if language() == "zh" else ", ").join(parts)

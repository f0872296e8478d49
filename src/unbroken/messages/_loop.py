"""Sentences of the loop floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {}

"""Sentences of the cli floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {}

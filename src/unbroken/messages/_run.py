"""Sentences of the run floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {}

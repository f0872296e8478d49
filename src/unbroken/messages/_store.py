"""Sentences of the store floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {}

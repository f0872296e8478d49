"""Sentences of the state floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {}

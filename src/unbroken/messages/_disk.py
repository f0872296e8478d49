"""Sentences of the disk floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {}

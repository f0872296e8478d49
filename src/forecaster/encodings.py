"""In which encoding a text file is, by its first bytes: UTF-8, UTF-16 or UTF-32, with or without a mark, or GB18030."""

import codecs
from pathlib import Path

from forecaster.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = frozenset(chr(code) for code in range(32)) - set("\t\n\r\x1b")


def decode_start(sample: bytes, path: Path) -> tuple[str, list[str]]:
    """The first bytes of a file as text, and the encodings to read it in, the likeliest first.

    Raises:
        InputError: it is binary.
        UnicodeDecodeError: it is in none of the encodings.
    """
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            text = _decoded(sample, encoding)
            if not {"\n", "\r"} & set(text):  # what follows the mark is something else
                raise InputError("data_not_text", path=path)
            return text, [encoding]
    if b"\0" in sample:
        return _without_a_mark(sample, path)
    try:
        return _decoded(sample, "utf-8"), ["utf-8", "gb18030"]
    except UnicodeDecodeError:
        return _decoded(sample, "gb18030"), ["gb18030"]


def _without_a_mark(sample: bytes, path: Path) -> tuple[str, list[str]]:
    """Of digits and separators in UTF-16 every other byte is zero: the second one in the order of Intel."""
    encoding = "utf-16-le" if sample[1::2].count(0) > sample[0::2].count(0) else "utf-16-be"
    try:
        text = _decoded(sample, encoding)
    except UnicodeDecodeError:
        text = "\0"
    if sample.count(0) < len(sample) / 4 or _CONTROLS & set(text):
        raise InputError("data_binary", path=path)
    return text, [encoding]


def _decoded(sample: bytes, encoding: str) -> str:
    """The end of ``sample`` may be the first half of a character."""
    return codecs.getincrementaldecoder(encoding)().decode(sample)

"""Opcodes: a pickle in the making, of protocol 2, as the standard library's pickler writes it.

What the opcodes mean is in ``pickletools``.
"""

import pickle
import struct

BATCH = 1000
"""Items between two marks."""

_SHORT, _LONG, _FOUR = (struct.Struct(form).pack for form in ("<H", "<L", "<l"))
_BYTES = [bytes([number]) for number in range(256)]
_LENGTHS = {0: b")", 1: b"\x85", 2: b"\x86", 3: b"\x87"}


class Opcodes:
    """Texts and objects are remembered by their identity, and only referred to when they come again.

    ``write`` appends; all else gives bytes to be written next, and counts on that.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = [b"\x80\x02"]
        self.write = self._parts.append
        self.memo: dict[int, int] = {}
        self._globals: dict[str, int] = {}
        self.next = 0
        """The place of what is remembered next."""

    def ended(self) -> bytes:
        self.write(b".")
        return b"".join(self._parts)

    def put(self) -> bytes:
        """Remember what was written just now; nothing will ask for it."""
        place = self.next
        self.next = place + 1
        return b"q" + _BYTES[place] if place < 256 else b"r" + _LONG(place)

    def remember(self, value: object) -> None:
        """Remember what was written just now as ``value``, which has to be kept until the end."""
        self.memo[id(value)] = self.next
        self.write(self.put())

    def text(self, value: str) -> bytes:
        place = self.memo.get(id(value))
        if place is not None:
            return get(place)
        self.memo[id(value)] = self.next
        raw = value.encode("utf-8", "surrogatepass")
        return b"X" + _LONG(len(raw)) + raw + self.put()

    def named(self, name: str) -> bytes:
        """What a module has, as ``module\\nname``."""
        place = self._globals.get(name)
        if place is not None:
            return get(place)
        self._globals[name] = self.next
        return b"c" + name.encode() + b"\n" + self.put()


def get(place: int) -> bytes:
    return b"h" + _BYTES[place] if place < 256 else b"j" + _LONG(place)


def whole(value: int) -> bytes:
    """A whole number, of up to 255 bytes."""
    if 0 <= value < 256:
        return b"K" + _BYTES[value]
    if -(1 << 31) <= value < 1 << 31:
        return b"M" + _SHORT(value) if 0 <= value < 1 << 16 else b"J" + _FOUR(value)
    raw = pickle.encode_long(value)
    return b"\x8a" + _BYTES[len(raw)] + raw


def floats(values: list[float]) -> bytes:
    """The items of a list of nothing else: of a hundred thousand none is looked at by itself."""
    count = len(values)
    packed, raw = struct.pack(f">{count}d", *values), bytearray(9 * count)
    raw[::9] = b"G" * count
    for place in range(8):
        raw[place + 1 :: 9] = packed[place::8]
    batches = [raw[at : at + 9 * BATCH] for at in range(0, len(raw), 9 * BATCH)]
    return b"(" + b"e(".join(batches) + b"e" if count > 1 else bytes(raw) + b"a"


def tuple_end(length: int) -> bytes:
    """Behind the parts of a tuple; where there are more than three, a mark is before them."""
    return _LENGTHS.get(length, b"t")

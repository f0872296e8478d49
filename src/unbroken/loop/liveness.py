"""Liveness: which names a function will read, from where it stands, before it sets them. From its bytecode alone."""

import dis
from functools import lru_cache
from types import CodeType, FrameType

_ENDS = ("RETURN_", "RAISE_VARARGS", "RERAISE")
_ALWAYS_JUMPS = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_ABSOLUTE", "JUMP")

_SEEDING = ("manual_seed", "seed")

LOCAL, GLOBAL, ATTRIBUTE = "local ", "global ", "attribute "
"""What stands before a name, for where it is looked up."""

LOADED = "loaded "
"""The same for attributes that the function sets, as ``run.batches`` reads them: a dataset's may be among them."""


def live_at(frame: FrameType) -> frozenset[str]:
    """The names read after the call that this frame waits for, on some way, before they are set.

    Of a ``for`` that waits for its next item, the ways through its body.
    """
    liveness = _of(frame.f_code)
    number = liveness.number_at(frame.f_lasti)
    return liveness.after(number) | {LOCAL + name for name in frame.f_code.co_cellvars}


def live_behind(frame: FrameType) -> frozenset[str]:
    """The names read behind the ``for`` that waits for its next item, on some way, before they are set."""
    liveness = _of(frame.f_code)
    return liveness.behind(liveness.number_at(frame.f_lasti))


def names_read_behind(frame: FrameType) -> set[str]:
    """The variables among these, by their own names."""
    return {name.partition(" ")[2] for name in live_behind(frame) if name.startswith((LOCAL, GLOBAL))}


def live_at_entry(code: CodeType) -> frozenset[str]:
    """The names that a function reads, on some way, before it sets them."""
    return _of(code).before(0)


def seeded(code: CodeType) -> frozenset[str]:
    """The names of the generators that a function seeds: to seed one is to set it, whatever it was."""
    return _of(code).seeded


def stored(code: CodeType) -> frozenset[str]:
    """The names that a function sets anywhere."""
    return _of(code).stored


class _Liveness:
    def __init__(self, code: CodeType) -> None:
        self._instructions = list(dis.get_instructions(code))
        self._numbers = {one.offset: number for number, one in enumerate(self._instructions)}
        self._bits: dict[str, int] = {}
        behind = [*self._instructions[1:], None]
        seeded = [one for one, then in zip(self._instructions, behind, strict=True) if then and _seeds(then)]
        self._seeded = {one.offset for one in seeded}  # an instruction itself can't be in a set in every Python
        self._set = {one.argval for one in self._instructions if one.opname == "STORE_ATTR"}
        effects = [self._effect(one) for one in self._instructions]
        self.stored = frozenset(name for name, bit in self._bits.items() if any(kill & bit for _, kill in effects))
        self.seeded = frozenset(one.argval for one in seeded if isinstance(one.argval, str))
        self._live = [0] * (len(effects) + 1)
        changed = True
        while changed:
            changed = False
            for number in range(len(effects) - 1, -1, -1):
                reads, sets = effects[number]
                out = 0
                for following in self._successors(number):
                    out |= self._live[following]
                found = reads | (out & ~sets)
                if found != self._live[number]:
                    self._live[number], changed = found, True

    def number_at(self, offset: int) -> int:
        while offset > 0 and offset not in self._numbers:
            offset -= 2  # within what an instruction keeps behind it
        return self._numbers.get(offset, 0)

    def before(self, number: int) -> frozenset[str]:
        return self._names(self._live[number])

    def after(self, number: int) -> frozenset[str]:
        if self._instructions[number].opname == "FOR_ITER":
            return self._names(self._live[number + 1])
        return self._names(sum_of([self._live[one] for one in self._successors(number)]))

    def behind(self, number: int) -> frozenset[str]:
        one = self._instructions[number]
        if one.opname != "FOR_ITER":
            return frozenset()
        return self.before(self._numbers.get(one.argval, number + 1))

    def _names(self, bits: int) -> frozenset[str]:
        return frozenset(name for name, bit in self._bits.items() if bits & bit)

    def _successors(self, number: int) -> list[int]:
        one = self._instructions[number]
        if one.opname.startswith(_ENDS):
            return []
        if one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
            target = self._numbers.get(one.argval, number + 1)
            return [target] if one.opname in _ALWAYS_JUMPS else [target, self._next(number)]
        return [self._next(number)]

    def _next(self, number: int) -> int:
        """What comes behind an instruction; of a loop that begins its body, as no loop is taken to run not once."""
        behind = number + 1
        if self._instructions[number].opname != "EXTENDED_ARG":
            while behind < len(self._instructions) and self._instructions[behind].opname == "EXTENDED_ARG":
                behind += 1
            if behind < len(self._instructions) and self._instructions[behind].opname == "FOR_ITER":
                return behind + 1
        return number + 1

    def _effect(self, one: dis.Instruction) -> tuple[int, int]:
        """What an instruction reads, and what it sets before anybody could read it."""
        name, value = one.opname, one.argval
        names = value if isinstance(value, tuple) else (value,)
        if name.startswith(("LOAD_FAST_AND_CLEAR", "LOAD_CONST")) or not all(isinstance(part, str) for part in names):
            return 0, 0
        if name.startswith("STORE_FAST_LOAD_FAST"):
            first, second = (self._bit(LOCAL, part) for part in names)
            return second & ~first, first
        if name.startswith(("LOAD_ATTR", "LOAD_METHOD")):
            loaded = [self._bit(LOADED, part) for part in self._set] if names[-1] == "batches" else []
            return self._bit(ATTRIBUTE, names[-1]) | sum_of(loaded), 0
        if name.startswith("STORE_ATTR"):
            return 0, self._bit(ATTRIBUTE, names[-1]) | self._bit(LOADED, names[-1])
        kind = GLOBAL if "GLOBAL" in name else LOCAL
        if name.startswith(("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLOSURE", "LOAD_CLASSDEREF")):
            bits = sum_of([self._bit(kind, part) for part in names])
            return (0, bits) if one.offset in self._seeded and len(names) == 1 else (bits, 0)
        if name.startswith(("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "DELETE_")):
            return 0, sum_of([self._bit(kind, part) for part in names])
        return 0, 0

    def _bit(self, kind: str, name: str) -> int:
        return self._bits.setdefault(kind + name, 1 << len(self._bits))


def _seeds(one: dis.Instruction) -> bool:
    return one.opname.startswith(("LOAD_ATTR", "LOAD_METHOD")) and one.argval in _SEEDING


def sum_of(bits: list[int]) -> int:
    """All bits that are in any of these."""
    found = 0
    for one in bits:
        found |= one
    return found


@lru_cache(maxsize=1000)
def _of(code: CodeType) -> _Liveness:
    return _Liveness(code)

"""Suspects: of all that the user's code holds differently, what is likely to be why; and how it is called. Pure."""

import re
from collections.abc import Iterable, Sequence

from unbroken import messages
from unbroken.audit.compare import Parting, Seen
from unbroken.loop.trace import COMPILED, Group, Mark, Name

MOST_SUSPECTS = 3
_INTEGER = re.compile(r"-?\d+")
_FRACTION = re.compile(r"-?(\d+\.\d*([eE][-+]?\d+)?|\d+[eE][-+]?\d+|inf|nan)")
_UNSAID = ("", "")  # values that are not worth showing
_DIGEST = re.compile(r"[0-9a-f]{16}")
_TENSOR = re.compile(r"([a-z0-9]+\[[\d, ]*\] )?[0-9a-f]{16}")  # of torch, or of NumPy
_HELD = re.compile(r"(\d+) × \w+")  # how many objects a container has
_AMONG = re.compile(r"\[\d+\]")
# Where these differ, so do the tensors that were computed with them.
_CONSEQUENCES = frozenset({Group.AVERAGE, Group.MODEL, Group.OPTIMIZER, Group.LEARNING_RATE})


def suspects(parting: Parting) -> list[Seen]:
    """What the user's code holds that is not as it was and may be why, the likeliest first."""
    group = parting.differing[0].name.group if parting.differing else Group.OTHER
    return likeliest(parting.hints, group)


def likeliest(seen: Iterable[Seen], group: Group) -> list[Seen]:
    """The first few of what may be why ``group`` differs; of the items of one container one, under its name."""
    seen = list(seen)
    after = {one.name.path for one in seen if one.name.mark is Mark.HINT}
    ranked = [(rank, one) for one in seen if (rank := _rank(one, group, after)) is not None]
    found: dict[str, Seen] = {}
    for _, one in sorted(ranked, key=lambda pair: (pair[0], pair[1].name.mark is not Mark.BEFORE)):
        path, bracket, _ = one.name.path.partition("[")
        whole = Seen(Name(one.name.group, path, one.name.mark), *_UNSAID) if bracket else one
        found.setdefault(path, whole)
    return [*found.values()][:MOST_SUSPECTS]


def is_held(one: Seen) -> bool:
    """Whether it is a tensor or a container, not a number."""
    texts = (one.got or "", one.expected or "")
    return texts == _UNSAID or any(_HELD.fullmatch(text) or _TENSOR.fullmatch(text) for text in texts)


def is_container(one: Seen) -> bool:
    """Whether it is a set, a list or the like of numbers and texts."""
    text = one.got or ""
    return one.name.mark is Mark.HINT and bool(_INTEGER.match(text)) and " " in text


def _rank(one: Seen, group: Group, after: Iterable[str]) -> int | None:
    """Counters and generators lead to differences; numbers and tensors that are computed mostly follow from them."""
    before = one.name.mark is Mark.BEFORE
    if one.name == COMPILED:
        return None  # not one of the user's
    if one.name.group is Group.SEED or (one.name.group is Group.STREAM and one.name.mark is Mark.SAVED):
        return None
    if one.name.group is Group.DATA:
        # What they held was in the batches, which are the same.
        return 0 if group in (Group.ORDER, Group.DATA) else None
    if one.name.mark is Mark.UNTRACKED or one.name.group is not Group.VARIABLE:
        return 1
    if group is Group.STREAM and not before:
        return None  # what is drawn in a step is decided before it
    if _HELD.fullmatch(one.got or "") or _HELD.fullmatch(one.expected or ""):
        return 3  # a buffer that is filling up
    if _TENSOR.fullmatch(one.got or "") and before:
        return _rank_of_tensor(one.name.path, after)
    return _rank_of_value(one.got or "", group)


def _rank_of_tensor(path: str, after: Iterable[str]) -> int:
    """Of a tensor that is another before the step: what the step has used up and made anew is the likeliest of all."""
    if path not in after:
        return 2
    # What a buffer holds, or an object; not a dict of averaged weights, which differs without being used.
    return 3 if _AMONG.search(path) or ("." in path and "[" not in path) else 7


def _rank_of_value(text: str, group: Group) -> int | None:
    if _INTEGER.fullmatch(text) or text in ("True", "False"):
        return 4
    if _INTEGER.match(text) and " " in text:
        return 5  # a list or the like: its length, and a digest
    if _FRACTION.fullmatch(text):
        return 8
    return None if group in _CONSEQUENCES else 6


def plain_name(path: str) -> str:
    """The name of a variable without the function it is in."""
    return split_scope(path)[1]


def split_scope(path: str) -> tuple[str, str]:
    """``main:model.count`` is ``model.count`` in ``main()``; what stands in no function is in the script itself."""
    scope, colon, name = path.partition(":")
    return (f"{scope}()", name) if colon else (messages.text("audit_the_script"), path)


def said_path(path: str) -> str:
    """A variable and where it is, for a sentence."""
    where, name = split_scope(path)
    return messages.text("audit_variable", name=name, where=where)


def shown(text: str | None) -> str:
    """A value of a trace for people: digests say nothing to them."""
    if text is None:
        return messages.text("audit_absent")
    if held := _HELD.fullmatch(text):
        return messages.text("audit_items", count=held[1])
    head, _, tail = text.rpartition(" ")
    if not _DIGEST.fullmatch(tail):
        return text
    return messages.text("audit_items", count=head) if _INTEGER.fullmatch(head) else head


def listed_all(seen: Sequence[Seen]) -> str:
    return messages.clauses(_is_not(one) for one in seen)


def _is_not(one: Seen) -> str:
    expected, got = shown(one.expected), shown(one.got)
    if got and got != expected:
        return messages.text("audit_is_not", name=said_path(one.name.path), expected=expected, got=got)
    return messages.text("audit_is_other", name=said_path(one.name.path))

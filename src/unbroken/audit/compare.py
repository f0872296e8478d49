"""Comparing traces: where two runs part, and in what. Pure: lines in, the first difference out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from unbroken.audit.trace import Line, Moment, Traced
from unbroken.loop.trace import Group, Kind, Mark, Name

# What says that two trainings are not the same one. What is recorded of them (a metric, a counter, the time) may be
# different in every run of a script that trains exactly the same way.
_TRAINING = frozenset({Group.MODEL, Group.OPTIMIZER, Group.LEARNING_RATE, Group.SCHEDULER, Group.OTHER, Group.COURSE})
_RESTORED = frozenset(
    {Group.MODEL, Group.OPTIMIZER, Group.LEARNING_RATE, Group.SCHEDULER, Group.OTHER, Group.STATE, Group.AVERAGE}
)
_COMPARED = frozenset({Kind.BEGIN, Kind.STEP, Kind.EPOCH, Kind.END})
_IN_ORDER = {group: place for place, group in enumerate(Group)}
# Torch's stream has the same seed in every process unless the script gives it another; python's and numpy's have not.
_FIRST_STREAM = "torch"

STEPS = Name(Group.COURSE, "steps")


@dataclass(frozen=True)
class Seen:
    """One value that is not as it was; None where it is not there."""

    name: Name
    expected: str | None
    got: str | None


@dataclass(frozen=True)
class Parting:
    """The first moment at which two runs are not the same, and all that is not, what leads to the rest first.

    ``hints`` may be why. ``began`` is where the process began that parts: resumed from there, if ``resumed``.
    """

    moment: Moment
    differing: tuple[Seen, ...]
    hints: tuple[Seen, ...]
    attempt: int = 0
    began: Moment | None = None
    resumed: bool = False


def noise(reference: Traced, other: Traced) -> frozenset[Name]:
    """What is not the same in two whole runs at one moment or another: nothing can be said of it."""
    found: set[Name] = set()
    for line in _compared(reference):
        opposite = other.find(line.moment.key)
        if opposite is not None:
            found.update(seen.name for seen in _differences(line, opposite))
    return frozenset(found)


def part(reference: Traced, other: Traced, ignored: AbstractSet[Name] = frozenset()) -> Parting | None:
    """Where two whole runs begin to train differently. ``ignored`` is known to make no difference."""
    harmless: set[Name] = set()  # differed before, and the training was the same
    beginning: list[Seen] = []
    for line in _compared(reference):
        opposite = other.find(line.moment.key)
        if opposite is None:
            return _ends_early(line.moment, beginning)
        seen = _differences(line, opposite)
        beginning = beginning or seen
        if any(one.name.group in _TRAINING and one.name.mark is Mark.SAVED for one in seen):
            news = [one for one in seen if one.name not in harmless and one.name not in ignored]
            return _parting(line.moment, news, [*beginning, *seen])
        harmless.update(one.name for one in seen)
    return _goes_on(reference, other)


def follow(
    reference: Traced, attempts: Sequence[Traced], ignored: AbstractSet[Name], promoted: AbstractSet[Name] = frozenset()
) -> Parting | None:
    """Where a run that was interrupted parts from the one that was not, if it does.

    ``attempts`` are its processes in turn; ``promoted`` are hints and untracked objects that count like tracked ones.
    """

    def counts(name: Name) -> bool:
        return name not in ignored and (name.mark is Mark.SAVED or name in promoted)

    for number, attempt in enumerate(attempts):
        began: Line | None = None
        before: list[Seen] = []
        for line in _compared(attempt):
            if line.moment.kind is Kind.BEGIN:
                began = line
            opposite = reference.find(_restored_from(line) if line.resumed else line.moment.key)
            if opposite is None:
                if line.moment.kind in (Kind.BEGIN, Kind.END):
                    continue
                seen = [Seen(STEPS, None, str(line.moment.step)), *before]
            else:
                seen = before = _differences(opposite, line)
            wanted = _was_restored(line) if line.resumed else counts
            if any(wanted(one.name) and counts(one.name) for one in seen):
                news = [one for one in seen if wanted(one.name) and counts(one.name)]
                rest = [one for one in seen if one not in news and one.name not in ignored]
                return _parting(line.moment, news, rest, attempt=number, began=began)
    return _goes_on(reference, attempts[-1], attempt=len(attempts) - 1)


def forgotten(reference: Traced, attempts: Sequence[Traced], ignored: AbstractSet[Name]) -> frozenset[Name]:
    """The untracked objects that are not the same when all is done."""
    return frozenset(
        seen.name for seen in _at_the_end(reference, attempts, ignored) if seen.name.mark is Mark.UNTRACKED
    )


def left_over(reference: Traced, attempts: Sequence[Traced], ignored: AbstractSet[Name]) -> list[Seen]:
    """The variables that are not the same when all is done: of no account, unless code behind the loop uses them."""
    return [seen for seen in _at_the_end(reference, attempts, ignored) if seen.name.group is Group.VARIABLE]


def replayed(attempts: Sequence[Traced]) -> tuple[int, Parting | None]:
    """How many steps were done more than once in a run that was interrupted, and the first done in two ways.

    For a script that is not the same in any two runs, this is all that can be compared.
    """
    steps = 0
    groups = _TRAINING | {Group.ORDER, Group.DATA, Group.STREAM}
    for number, attempt in enumerate(attempts):
        for line in attempt.lines():
            earlier = next((found for a in reversed(attempts[:number]) if (found := a.find(line.moment.key))), None)
            if line.moment.kind is not Kind.STEP or earlier is None:
                continue
            steps += 1
            seen = _differences(earlier, line)
            news = [one for one in seen if one.name.mark is Mark.SAVED and one.name.group in groups]
            if news:
                return steps, _parting(line.moment, news, [one for one in seen if one not in news], attempt=number)
    return steps, None


def _compared(trace: Traced) -> Iterable[Line]:
    return (line for line in trace.lines() if line.moment.kind in _COMPARED)


def _differences(expected: Line, got: Line) -> list[Seen]:
    """A hint that only one of them has is none: what a loop's first pass sets is not there before it."""
    names = [*expected.values, *(name for name in got.values if name not in expected.values)]
    steps = Seen(STEPS, str(expected.moment.step), str(got.moment.step))  # an epoch may have become longer
    seen = [steps, *(Seen(name, expected.values.get(name), got.values.get(name)) for name in names)]
    return [
        one
        for one in seen
        if one.expected != one.got
        and (one.name.mark is Mark.SAVED or (one.expected is not None and one.got is not None))
    ]


def _restored_from(line: Line) -> tuple[str, Kind, int]:
    """The moment whose state the beginning of a resumed process must have."""
    moment = line.moment
    if moment.batch:
        return moment.run, Kind.STEP, moment.step
    return (moment.run, Kind.EPOCH, moment.epoch) if moment.epoch else (moment.run, Kind.BEGIN, 0)


def _was_restored(line: Line) -> Callable[[Name], bool]:
    """What a resumed process has again at its beginning; the streams come back later, with the first batch."""
    groups = _RESTORED if line.moment.batch else _RESTORED - {Group.AVERAGE}
    return lambda name: name.mark is Mark.SAVED and name.group in groups


def _parting(
    moment: Moment,
    differing: Iterable[Seen],
    rest: Iterable[Seen],
    *,
    attempt: int = 0,
    began: Line | None = None,
) -> Parting:
    in_order = sorted(
        (one for one in differing if one.name.mark not in (Mark.HINT, Mark.BEFORE)),
        key=lambda one: (
            one.name.mark is Mark.SAVED,  # a forgotten object first: it leads to the others
            _IN_ORDER[one.name.group],
            one.name.group is Group.STREAM and one.name.path != _FIRST_STREAM,
        ),
    )
    hints = {one.name: one for one in rest if one not in in_order}
    start, resumed = (None, False) if began is None else (began.moment, began.resumed)
    return Parting(moment, tuple(in_order), tuple(hints.values()), attempt, start, resumed)


def _ends_early(moment: Moment, hints: Iterable[Seen]) -> Parting:
    return _parting(moment, [Seen(STEPS, str(moment.step), None)], hints)


def _goes_on(reference: Traced, other: Traced, attempt: int = 0) -> Parting | None:
    """A run that has ended where the other goes on, or goes on where the other has ended."""
    ends = reference.last(), other.last()
    if ends[0] is None or ends[1] is None or ends[0].moment.key == ends[1].moment.key:
        return None
    expected, got = (str(end.moment.step) for end in ends if end is not None)
    began = next((line for line in other.lines() if line.moment.kind is Kind.BEGIN), None)
    return _parting(ends[1].moment, [Seen(STEPS, expected, got)], [], attempt=attempt, began=began)


def _at_the_end(reference: Traced, attempts: Sequence[Traced], ignored: AbstractSet[Name]) -> list[Seen]:
    last = attempts[-1].last()
    opposite = None if last is None else reference.find(last.moment.key)
    if last is None or opposite is None:
        return []
    return [seen for seen in _differences(opposite, last) if seen.name not in ignored]


def groups_of(differing: Iterable[Seen]) -> list[Group]:
    """The groups in which two runs differ, the first ones first."""
    found: Mapping[Group, None] = dict.fromkeys(one.name.group for one in differing)
    return list(found)

"""What a script holds beside what it tracks is named, and not a counter that only feeds a print."""

from pathlib import Path

import pytest

from tests.audit.conftest import Audit
from tests.audit.told import LOSS, PYTHON, WEIGHT, killed, resumed, whole
from unbroken.audit import compare, verdict
from unbroken.audit.verdict import Verdict
from unbroken.loop.trace import Group, Mark, Name

HOLDING = Path(__file__).with_name("holding.py")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("kind", "cause", "first"),
    [
        ("prefetch", "audit_cause_variable", "X in main() holds other values"),
        ("prefetch two", "audit_cause_variable", "ahead in main() holds other values"),
        ("buffer", "audit_cause_stream_held", "buffer in main() is "),
        ("buffer object", "audit_cause_stream_held", "memory.states in main() holds other values"),
    ],
)
def test_the_culprit_is_named_first(audited: Audit, kind: str, cause: str, first: str) -> None:
    report = audited(HOLDING, "--kind", kind, kills=2, final=Path("final.pt"))
    assert report.verdict is Verdict.DIFFERS
    finding = report.findings[0]
    assert finding.cause.key == cause
    assert str(finding.cause.values["variables"]).startswith(first)
    assert finding.remedy.key == "audit_remedy_held"
    assert 'run.state["' in str(finding.remedy)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_script_that_only_counts_and_prints_is_clean(audited: Audit) -> None:
    report = audited(HOLDING, kills=4, final=Path("final.pt"))
    assert (report.verdict, report.findings) == (Verdict.EXACT, [])


def name(path: str, mark: Mark) -> Name:
    return Name(Group.VARIABLE, path, mark)


def cause(differing: dict[Name, str], expected: dict[Name, str], got: dict[Name, str]) -> str:
    """The sentence for a run that differs in step 4 in ``differing``, its code holding ``got``, not ``expected``."""
    reference = whole(6, step={4: expected})
    attempt = resumed(3, 6, step={4: {**got, **differing}})
    parting = compare.follow(reference, [killed(reference, 3), attempt], frozenset())
    assert parting is not None and parting.moment.step == 4
    return str(verdict.of_resume(parting).cause)


DIGESTS = "0123456789abcdef", "fedcba9876543210"
COUNTER = {name("main:i", mark): value for mark in (Mark.BEFORE, Mark.HINT) for value in ("4",)}
COUNTED = dict.fromkeys(COUNTER, "1")
LOST = {LOSS: "9", WEIGHT: "9"}


def test_a_batch_used_up_by_the_step_comes_before_a_counter() -> None:
    prefetched = name("main:X", Mark.BEFORE)
    said = cause(LOST, {**COUNTER, prefetched: DIGESTS[0]}, {**COUNTED, prefetched: DIGESTS[1]})
    assert said.index("X in main()") < said.index("i in main() is 1, not 4")


def test_averaged_weights_come_behind_a_counter() -> None:
    shadow = {name("main:shadow['w']", mark): DIGESTS[0] for mark in (Mark.BEFORE, Mark.HINT)}
    said = cause(LOST, {**COUNTER, **shadow}, {**COUNTED, **dict.fromkeys(shadow, DIGESTS[1])})
    assert said.index("i in main()") < said.index("shadow in main()")


def test_a_buffer_that_fills_up_explains_a_stream() -> None:
    held = name("main:buffer", Mark.BEFORE)
    said = cause({PYTHON: "q"}, {**COUNTER, held: "50 × deque"}, {**COUNTED, held: "0 0123456789abcdef"})
    assert "buffer in main() is 0 items, not 50 items" in said
    assert said.index("buffer in main()") < said.index("i in main()")


def test_what_only_follows_from_the_step_explains_no_stream() -> None:
    count, computed = name("main:i", Mark.HINT), name("main:out", Mark.HINT)
    said = cause({PYTHON: "q"}, {count: "4", computed: DIGESTS[0]}, {count: "1", computed: DIGESTS[1]})
    assert "code that runs only at the start" in said and "main()" not in said

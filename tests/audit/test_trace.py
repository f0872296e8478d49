"""Traces read back, whole and torn."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unbroken.audit.trace import Line, Tail, Trace
from unbroken.loop.trace import Group, Kind, Name, TraceFile

WEIGHT, LOSS = Name(Group.MODEL, "model.weight"), Name(Group.AVERAGE, "train_losses")


def write(path: Path, steps: int) -> list[bytes]:
    """A trace of so many steps, in which the names change on the way; and each of its lines."""
    path.unlink(missing_ok=True)
    file = TraceFile(path, None, lambda: True)
    for step in range(steps):
        values = {WEIGHT: str(step), **({LOSS: "0.5"} if step > 1 else {})}
        file.write(Kind.STEP, run="checkpoints", step=step, epoch=1, batch=step, values=values)
        file.write(Kind.SAVE, run="checkpoints", step=step, epoch=1, batch=step, facts={"reason": "steps"})
    return path.read_bytes().splitlines(keepends=True)


def test_lines_come_back_in_order_and_by_key(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    write(path, 5)
    lines = list(Trace(path).lines())
    steps = [line for line in lines if line.moment.kind is Kind.STEP]
    assert [dict(line.values) for line in steps[1:3]] == [{WEIGHT: "1"}, {WEIGHT: "2", LOSS: "0.5"}]
    found = Trace(path).find(("checkpoints", Kind.STEP, 3))
    assert found == steps[3]
    assert Trace(path).find(("elsewhere", Kind.STEP, 3)) is None
    last = Trace(path).last()
    assert last is not None and last.facts == {"reason": "steps"}


def test_two_runs_of_one_process_keep_their_names_apart(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    one, other = (TraceFile(path, None, lambda: True) for _ in range(2))
    for step in range(3):
        for name, file, run in ((WEIGHT, one, "a"), (LOSS, other, "b")):
            file.write(Kind.STEP, run=run, step=step, epoch=1, batch=step, values={name: str(step)})
    assert [dict(line.values) for line in Trace(path).lines()] == [
        {name: str(step)} for step in range(3) for name in (WEIGHT, LOSS)
    ]


def test_a_process_that_told_nothing(tmp_path: Path) -> None:
    nothing = Trace(tmp_path / "none")
    assert (list(nothing.lines()), nothing.find(("", Kind.STEP, 0)), nothing.last()) == ([], None, None)


@given(cut=st.integers(0, 2000))
def test_a_torn_end_loses_its_line_only(tmp_path_factory, cut: int) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("torn") / "trace"
    lines = write(path, 6)
    whole = b"".join(lines)
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut])
    expected, length = 0, 0
    for line in lines:
        length += len(line)
        expected += length <= cut and b'"line":"names"' not in line
    read: list[Line] = list(Trace(path).lines())
    assert len(read) == expected


def test_a_tail_gives_each_line_once_and_none_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    whole = b"".join(write(path, 6))
    path.unlink()
    tail = Tail(path)
    assert tail.new() == []
    told = []
    with path.open("wb", buffering=0) as file:
        for place in range(0, len(whole), 7):
            file.write(whole[place : place + 7])
            told += tail.new()
    tail.close()
    assert [(moment.kind, moment.step) for moment in told] == [
        (kind, step) for step in range(6) for kind in (Kind.STEP, Kind.SAVE)
    ]

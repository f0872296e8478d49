"""The journal gives back a record that is whole and of this run, or none."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unbroken.loop.journal import BITS, THOROUGH, Journal, Past, Replay, Witness

WORDS = st.integers(0, 2**64 - 1)
WITNESSES = st.builds(Witness, *[WORDS] * len(Witness._fields))
RECORD, HEADER = 96, 96

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(
    first=WITNESSES, second=WITNESSES, laps=st.integers(1, 9), step=st.integers(1, 10**6), cut=st.integers(0, RECORD)
)
def test_a_record_half_written_over_an_older_one_is_as_good_as_absent(
    tmp_path: Path, first: Witness, second: Witness, laps: int, step: int, cut: int
) -> None:
    path = tmp_path / "journal"
    later = step + laps * Journal.capacity
    start = HEADER + step % Journal.capacity * RECORD

    def written(at: int, seen: Witness) -> bytes:
        journal = Journal(path, "key")
        journal.write(at, seen)
        assert journal.read(at) == seen
        journal.close()
        return path.read_bytes()[start : start + RECORD]

    old, new = written(step, first), written(later, second)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(new[:cut] + old[cut:])
    journal = Journal(path, "key")
    assert journal.read(step) == (first if new[:cut] == old[:cut] else None)
    assert journal.read(later) == (second if new[cut:] == old[cut:] else None)
    journal.close()


@in_one_folder
@given(seen=WITNESSES, step=st.integers(1, 10**6), byte=st.integers(0, RECORD - 1), bit=st.integers(0, 7))
def test_a_record_with_a_bit_that_has_flipped_is_as_good_as_absent(
    tmp_path: Path, seen: Witness, step: int, byte: int, bit: int
) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, "key")
    journal.write(step, seen)
    journal.close()
    with path.open("r+b") as file:
        file.seek(HEADER + step % Journal.capacity * RECORD + byte)
        before = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([before ^ 1 << bit]))
    journal = Journal(path, "key")
    assert journal.read(step) is None
    journal.close()


def test_a_record_of_another_run_is_none_of_ours(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "one")
    journal.write(5, Witness(1, 2, 3, 4, 5, 6, 7, 8, 9))
    journal.close()
    journal = Journal(tmp_path / "journal", "other")
    assert journal.read(5) is None
    journal.close()


def test_a_journal_of_an_older_version_is_told_apart_from_none(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert _past(path) is Past.NOTHING
    assert _past(path) is Past.KEPT
    path.write_bytes(b"unbroken-journal" + (5).to_bytes(4, "little") + bytes((1 << 20) + 44))
    assert _past(path) is Past.OLDER
    assert _past(path) is Past.KEPT


def _past(path: Path) -> Past:
    journal = Journal(path, "key")
    journal.close()
    return journal.past


@given(before=WITNESSES, now=WITNESSES)
def test_only_what_was_looked_at_both_times_is_compared(before: Witness, now: Witness) -> None:
    replay = Replay(after=0)
    differs = replay.compare(1, before, now)
    both = before.looked & now.looked
    expected = {name for name, bit in BITS.items() if both & bit}
    if before.names != now.names or (before.looked ^ now.looked) & THOROUGH:
        expected.discard("state")
    assert {name for name, steps in replay.compared.items() if steps} == expected
    assert differs == any(getattr(before, name) != getattr(now, name) for name in expected)

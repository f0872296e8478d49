"""The journal gives back a record that is whole and of this run, or none."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unbroken.loop.journal import Journal, Witness

WORDS = st.integers(0, 2**64 - 1)
WITNESSES = st.tuples(WORDS, WORDS, WORDS, WORDS, WORDS)
RECORD, HEADER = 64, 64

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
    journal.write(5, (1, 2, 3, 4, 5))
    journal.close()
    journal = Journal(tmp_path / "journal", "other")
    assert journal.read(5) is None
    journal.close()

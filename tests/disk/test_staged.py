"""Large files: gathered, digested and written past the page cache, and the same bytes as through it."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.disk.conftest import Mount, Program
from unbroken.disk.digest import bytes_digest
from unbroken.disk.durable import write_durably
from unbroken.disk.staged import StagedFile
from unbroken.errors import DiskError

BUFFER = 2 << 20


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.sampled_from([0, 1, 4095, 4096, 65_537, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER, 3 * BUFFER + 5]),
        max_size=5,
    ),
    st.booleans(),
)
def test_only_the_bytes_count_and_not_how_they_were_cut(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], readonly: bool
) -> None:
    path = tmp_path_factory.mktemp("cut") / "x"
    whole = os.urandom(1 << 12) * (sum(sizes) // (1 << 12) + 1)

    def write(file: object) -> None:
        at = 0
        for size in sizes:
            piece = whole[at : at + size]
            assert file.write(piece if readonly else bytearray(piece)) == size  # type: ignore[attr-defined]
            at += size
            assert file.tell() == at  # type: ignore[attr-defined]
            assert file.digest == bytes_digest(whole[:at])  # type: ignore[attr-defined]

    written = write_durably(path, write)
    assert path.read_bytes() == whole[: sum(sizes)]
    assert (written.size, written.digest) == (sum(sizes), bytes_digest(whole[: sum(sizes)]))


CONTENT = b"01234567" * (BUFFER * 5 // 8)  # nothing but full buffers: more than there are, all written by the thread
_LARGE = "write_durably(Path('x'), lambda f: f.write(b'01234567' * (5 << 18)) and None)"


@pytest.mark.strace
@pytest.mark.parametrize(
    "fault",
    [
        "fcntl(O_DIRECT):error=EINVAL",  # a file system that refuses to be asked
        "write(01234567):error=EINTR",
    ],
)
def test_where_the_page_cache_cannot_be_passed_it_is_used(tmp_path: Path, program: Program, fault: str) -> None:
    assert program(_LARGE, fault).stdout == ""
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_write_past_the_page_cache_that_is_refused_goes_through_it(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "x", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"!")  # from here on nothing is aligned, and the disk refuses it
    file = StagedFile(descriptor)
    file.write(CONTENT)
    assert file.finish() == bytes_digest(CONTENT)
    os.close(descriptor)
    assert (tmp_path / "x").read_bytes() == b"!" + CONTENT


@pytest.mark.mounts
def test_a_disk_that_is_full_in_the_middle_is_said_and_left_as_it_was(mount: Mount) -> None:
    disk = mount("size=7m")
    (disk / "x").write_text("old")
    with pytest.raises(DiskError) as full:
        write_durably(disk / "x", lambda file: file.write(CONTENT) and None)  # type: ignore[func-returns-value]
    assert full.value.key == "disk_full"
    assert [path.name for path in disk.iterdir()] == ["x"]
    assert (disk / "x").read_text() == "old"


def test_a_file_is_finished_while_the_interpreter_ends(tmp_path: Path, program: Program) -> None:
    assert program(f"import atexit; atexit.register(lambda: {_LARGE})").stderr == ""
    assert (tmp_path / "x").read_bytes() == CONTENT


_INTERRUPTED_TWICE = """seen = []
    def interrupt(*_):
        seen.append(1)
        if len(seen) <= 2:
            raise KeyboardInterrupt
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.2)
    try:
        write_durably(Path('x'), lambda f: f.write(b'01234567' * (5 << 18)) and None)
    except KeyboardInterrupt:
        others = [os.open(f'other{number}', os.O_RDWR | os.O_CREAT) for number in range(9)]
    import threading
    running = [thread for thread in threading.enumerate() if thread.name == 'unbroken-disk']
    for thread in running:
        thread.join()
    say(str(len(running)), str(sum(os.fstat(other).st_size for other in others)))"""


@pytest.mark.strace
def test_a_writer_interrupted_twice_writes_into_no_other_file(tmp_path: Path, program: Program) -> None:
    """The second interruption finds it waiting for the disk, which is slow; its descriptor's number is free then."""
    assert program(_INTERRUPTED_TWICE, "write:delay_enter=150000").stdout == "1\n0\n"


def test_it_refuses_to_go_back(tmp_path: Path) -> None:
    def write(file: object) -> None:
        assert not file.seekable()  # type: ignore[attr-defined]
        with pytest.raises(OSError, match="seek"):
            file.seek(0)  # type: ignore[attr-defined]

    write_durably(tmp_path / "x", write)

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from unbroken.disk.durable import remove_temporaries, write_durably
from unbroken.errors import DiskError

Program = Callable[..., "subprocess.CompletedProcess[str]"]
Second = Callable[[str], "subprocess.Popen[str]"]

_WRITING = """
def write(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
write_durably(Path("x"), write)
"""


def _writing(second_process: Second) -> "subprocess.Popen[str]":
    process = second_process(_WRITING)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(
    tmp_path: Path, second_process: Second
) -> None:
    dead, living = _writing(second_process), _writing(second_process)
    assert remove_temporaries(tmp_path) == []
    dead.kill()
    dead.wait()
    (removed,) = remove_temporaries(tmp_path)
    assert removed.name.startswith(f".x.{dead.pid}-")
    assert len(list(tmp_path.iterdir())) == 1
    living.communicate()
    assert living.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_this_process_writes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def write(file: BinaryIO) -> None:
        assert remove_temporaries(tmp_path) == []
        assert remove_temporaries(Path()) == []
        file.write(b"1")

    write_durably(tmp_path / "x", write)
    write_durably(Path("x"), write)
    assert (tmp_path / "x").read_text() == "1"


def test_only_regular_files_of_our_pattern_go(tmp_path: Path) -> None:
    for name in (".x.tmp", "x.1-0123abcd.tmp", ".x.1-0123ABCD.tmp", ".x.1-0123abcd.tmp2", "..1-0123abcd.tmp"):
        (tmp_path / name).touch()
    (tmp_path / "target").touch()
    (tmp_path / ".link.1-0123abcd.tmp").symlink_to("target")
    (tmp_path / ".folder.1-0123abcd.tmp").mkdir()
    os.mkfifo(tmp_path / ".pipe.1-0123abcd.tmp")
    before = set(tmp_path.iterdir())
    (tmp_path / ".x.1-0123abcd.tmp").touch()
    (tmp_path / ".y.1-0123abcd.tmp").touch()
    assert remove_temporaries(tmp_path, "y") == [tmp_path / ".y.1-0123abcd.tmp"]
    assert remove_temporaries(tmp_path) == [tmp_path / ".x.1-0123abcd.tmp"]
    assert set(tmp_path.iterdir()) == before
    with pytest.raises(DiskError, match="none"):
        remove_temporaries(tmp_path / "none")


@pytest.mark.strace
def test_what_cannot_be_known_dead_stays(tmp_path: Path, program: Program) -> None:
    (tmp_path / ".x.1-0123abcd.tmp").touch()
    done = program("print(remove_temporaries(Path('.')))", "fcntl(F_SETLK):error=ENOLCK")
    assert done.stdout == "[]\n"


@pytest.mark.strace
def test_a_cleaner_that_was_quicker_costs_a_second_try_and_no_save(tmp_path: Path, program: Program) -> None:
    save = "write_durably(Path('x'), lambda f: f.write(b'1') and None)"
    assert program(save, "fcntl(F_SETLK):error=EAGAIN").stdout == ""
    assert (tmp_path / "x").read_text() == "1"
    assert len(remove_temporaries(tmp_path)) == 1

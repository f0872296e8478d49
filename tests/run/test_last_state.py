"""A last state that is not safe on disk: said, tried again while the script goes on, told by the exit code."""

import os
from pathlib import Path

import pytest

import unbroken
from tests.run.scripts import run_script
from tests.small_disk import mounted

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")

TRAINED = """
optimizer = torch.optim.Adam(model.parameters())
run = unbroken.Run("disk/ck", every=None)
run.track(model=model, optimizer=optimizer)
filler = Path("disk/filler")
for epoch in run.epochs(2):
    for a, b in run.batches(loader):
        step(model, optimizer, a, b)
        if run.step == 9:
            while unbroken.load("disk/ck/checkpoint_latest.pth")["epoch"] < 1:
                pass  # the writer is at it
            free = os.statvfs("disk")
            filler.write_bytes(bytes(free.f_bavail * free.f_frsize))
    run.save()
"""

AFTERWARDS = """
torch.save(model.state_dict(), "elsewhere.pt")
print("evaluated", run.failure is not None)
"""


def in_vain(folder: Path, ending: str, beginning: str = "") -> tuple[int, str, str]:
    with mounted(folder / "disk", "size=2m"):
        ended = run_script(folder, beginning + TRAINED + AFTERWARDS + ending)
        assert unbroken.load(folder / "disk" / "ck" / "checkpoint_latest.pth")["epoch"] == 1
    assert (folder / "elsewhere.pt").is_file()
    return ended.code, ended.out, ended.err


@pytest.mark.mounts
def test_the_script_goes_on_and_its_exit_code_tells(tmp_path: Path) -> None:
    code, out, err = in_vain(tmp_path, "")
    assert code == 74 and out.splitlines()[-1] == "evaluated True", err
    assert "THE LAST STATE IS NOT SAFE in disk/ck/checkpoint_latest.pth" in err and "Traceback" not in err
    assert "exit code 74" in err


@pytest.mark.mounts
def test_also_where_the_script_ends_with_sys_exit_or_closes_the_run(tmp_path: Path) -> None:
    code, out, err = in_vain(tmp_path, "run.close()\nprint('closed', run.failure is not None)\nsys.exit(0)\n")
    assert code == 74 and out.splitlines()[-1] == "closed True", err


@pytest.mark.mounts
def test_what_others_do_at_the_end_is_done_first(tmp_path: Path) -> None:
    beginning = """
import atexit, tempfile
atexit.register(print, "handler")
scratch = tempfile.TemporaryDirectory(dir=".", prefix="scratch-")
notes = open("notes.txt", "w")
notes.write("mine")
"""
    code, out, err = in_vain(tmp_path, "", beginning)
    assert code == 74 and out.splitlines()[-1] == "handler", err
    assert (tmp_path / "notes.txt").read_text() == "mine" and not list(tmp_path.glob("scratch-*"))


@pytest.mark.mounts
def test_an_exception_of_the_script_keeps_its_own_status(tmp_path: Path) -> None:
    code, _, err = in_vain(tmp_path, "raise RuntimeError('mine')\n")
    assert code == 1 and "RuntimeError: mine" in err and "THE LAST STATE IS NOT SAFE" in err


@pytest.mark.mounts
def test_room_made_by_the_script_saves_it_after_all(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=2m"):
        ended = run_script(tmp_path, TRAINED + "filler.unlink()\nprint('evaluated')\n")
        assert unbroken.load(tmp_path / "disk" / "ck" / "checkpoint_latest.pth")["epoch"] == 2
        again = run_script(tmp_path, TRAINED + "print('trained', run.step)\n")
    assert ended.code == 0 and "safe after all" in ended.err, ended.err
    assert again.code == 0 and again.out.splitlines()[-1] == "trained 12", again.said


@pytest.mark.mounts
def test_in_the_background_too_while_the_script_goes_on(tmp_path: Path) -> None:
    waiting = """
filler.unlink()
latest = Path("disk/ck/checkpoint_latest.pth")
while unbroken.load(latest)["epoch"] < 2:
    pass
print("safe before the end", run.failure is None)
"""
    with mounted(tmp_path / "disk", "size=2m"):
        ended = run_script(tmp_path, TRAINED + waiting)
    assert ended.code == 0 and ended.out.splitlines()[-1].startswith("safe before the end"), ended.said


def test_a_state_that_could_not_be_copied_is_told_likewise(tmp_path: Path) -> None:
    body = """
run = unbroken.Run("ck", every=None)
run.track(model=model)
notes = run.state["notes"] = []
for epoch in run.epochs(2):
    for a, b in run.batches(loader):
        if run.step == 9:
            notes.append(object())
    run.save()
print("evaluated")
"""
    ended = run_script(tmp_path, body)
    assert ended.code == 74 and ended.out.splitlines()[-1] == "evaluated" and "notes" in ended.err, ended.said
    assert unbroken.load(tmp_path / "ck" / "checkpoint_latest.pth")["epoch"] == 1

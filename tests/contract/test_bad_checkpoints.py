"""``--resume`` to what is no good checkpoint: one line, the right exit code, and the folder as it was."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.contract.commands import (
    DAMAGED,
    DONE,
    NOTHING_TO_RESUME,
    USAGE,
    Ended,
    assert_refused,
    digests,
    run,
    run_python,
)
from tests.contract.conftest import EPOCHS, Copy, Trained

Bad = Callable[[Path], object]


def refused(folder: Path, path: str, *more: str) -> Ended:
    """Resume by hand from ``path``; nothing in the folder may have changed after."""
    before = digests(folder)
    ended = run(folder, "Training.py", "--resume", path, *more)
    assert digests(folder) == before
    return ended


def test_resume_from_a_missing_file_names_those_that_are_there(finished: Trained, copy: Copy) -> None:
    ended = refused(copy(finished), "./checkpoints/checkpoint_epoch_11.pth")
    there = ("checkpoint_epoch_11.pth", "does not exist", "checkpoint_epoch_10.pth", "checkpoint_latest.pth")
    assert_refused(ended, NOTHING_TO_RESUME, *there)


@pytest.mark.slow
def test_resume_from_a_file_in_a_missing_folder(fresh: Path) -> None:
    ended = refused(fresh, "elsewhere/checkpoint_latest.pth")
    assert_refused(ended, NOTHING_TO_RESUME, "elsewhere/checkpoint_latest.pth", "does not exist", "right folder")


def test_resume_from_a_folder(finished: Trained, copy: Copy) -> None:
    assert_refused(refused(copy(finished), "checkpoints"), USAGE, "checkpoints is a folder", ".pth file in it")


@pytest.mark.slow
def test_resume_from_nothing_named(finished: Trained, copy: Copy) -> None:
    for empty in ("", " "):
        ended = refused(copy(finished) if not empty else finished.folder, empty)
        assert ended.code in (USAGE, NOTHING_TO_RESUME) and len(ended.err.splitlines()) == 1, ended.said


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)


def _zeros_at_the_end(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def _claim_more(path: Path) -> None:
    """The central directory's size of the last member, far too large."""
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 20 : place + 28] = struct.pack("<II", 1 << 31, 1 << 31)
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Bad, str]] = {
    "cut off": (_cut_off, "cut off"),
    "a flipped bit": (_flip_a_bit, "checksum mismatch"),
    "empty": (lambda path: path.write_bytes(b""), "empty (0 bytes)"),
    "zeros": (lambda path: path.write_bytes(bytes(path.stat().st_size)), "zeros"),
    "zeros at the end": (_zeros_at_the_end, "cut off or overwritten"),
    "sizes that lie": (_claim_more, "claims bytes"),
    "text": (lambda path: path.write_text("epoch: 10\n"), "not a file written by torch.save"),
    "a table": (lambda path: path.write_text("a,b\n1,2\n"), "not a file written by torch.save"),
}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind == "a flipped bit" else pytest.mark.slow) for kind in DAMAGE],
)
def test_resume_from_a_damaged_file_says_what_is_wrong_with_it(finished: Trained, copy: Copy, kind: str) -> None:
    folder = copy(finished)
    damage, said = DAMAGE[kind]
    damage(folder / "checkpoints" / "checkpoint_epoch_10.pth")
    ended = refused(folder, "./checkpoints/checkpoint_epoch_10.pth")
    assert_refused(ended, DAMAGED, "checkpoint_epoch_10.pth was not loaded", said, "unbroken list")


FOREIGN = {
    "weights alone": ("torch.save(model.state_dict(), path)", "keys are missing"),
    "a tensor": ("torch.save(torch.zeros(3), path)", "not a dict"),
    "a whole model": ("torch.save(model, path)", "not plain training state"),
    "code": ("torch.save({'epoch': Attack()}, path)", "Nothing was run"),
    "histories of text": (
        "torch.save({**dict.fromkeys('train_losses val_losses aucs'.split(), 'no list'), 'epoch': 'ten', 'best_corr': "
        "None, 'best_epoch': -1, 'timestamp': 0, 'model_state_dict': 1, 'optimizer_state_dict': [], "
        "'scheduler_state_dict': None}, path)",
        "epoch",
    ),
}
SOMEBODY_ELSE = """
import os, torch
class Attack:
    def __reduce__(self):
        return os.mkdir, ("attacked",)
model, path = torch.nn.Linear(2, 1), "foreign.pth"
"""


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind == "code" else pytest.mark.slow) for kind in FOREIGN],
)
def test_resume_from_a_foreign_file_runs_nothing_of_it(finished: Trained, copy: Copy, kind: str) -> None:
    folder = copy(finished)
    source, said = FOREIGN[kind]
    written = run_python(folder, SOMEBODY_ELSE + source)
    assert written.code == 0, written.said
    ended = refused(folder, "foreign.pth", "--data", "panel.csv")
    assert_refused(ended, DAMAGED, "foreign.pth", said)
    assert not (folder / "attacked").exists()


@pytest.mark.slow
def test_a_foreign_file_among_the_checkpoints_is_left_alone(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    foreign = folder / "checkpoints" / "downloaded.pth"
    torch.save({"weights": torch.zeros(3)}, foreign)
    content = foreign.read_bytes()
    ended = run(folder, "resume_training.py", "--epochs", str(EPOCHS + 1))
    assert ended.code == DONE and f"恢复训练，从 epoch {EPOCHS + 1} 开始" in ended.out, ended.said
    assert foreign.read_bytes() == content

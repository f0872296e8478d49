"""A script that needs something beside its folder is told that it runs in a copy, and what is missing there."""

import sys
from pathlib import Path

import pytest

from unbroken.audit.outside import missed
from unbroken.audit.report import Report, Request, Watcher
from unbroken.audit.runner import audit
from unbroken.errors import UsageError

pytestmark = pytest.mark.usefixtures("scratch")


def audited(tmp_path: Path, script: str, *, words: tuple[str, ...] = ("train.py",)) -> Report:
    folder = tmp_path / "all/project"
    folder.mkdir(parents=True)
    (folder.parent / "data").mkdir()
    (folder.parent / "data/prices.csv").write_text("1\n")
    (folder.parent / "common.py").write_text("X = 1\n")
    (folder.parent / "train.py").write_text("print('here')")
    (folder / "train.py").write_text(script)
    request = Request((sys.executable, *words), folder, 1, 60.0, final=Path("final.txt"))
    return audit(request, Watcher())


SCRIPTS = {
    "open": ("open('../data/prices.csv').read()", "data/prices.csv"),
    "folder": ("import os; os.listdir('../data')[0]", "data"),
    "glob": ("import glob; glob.glob('../data/*.csv')[0]", "data"),
    "pathlib": ("from pathlib import Path; sorted(Path('../data').glob('*.csv'))[0]", "data"),
    "from the file": (
        "from pathlib import Path; (Path(__file__).resolve().parent.parent / 'data/prices.csv').read_text()",
        "data/prices.csv",
    ),
    "module": ("import sys; sys.path.append('..'); import common", "common.py"),
    "checked first": (
        "import os, sys; os.path.exists('../data/prices.csv') or sys.exit('no ../data/prices.csv')",
        "data",
    ),
    "numpy": ("import numpy as np; np.loadtxt('../data/prices.csv')", "data/prices.csv"),
}


@pytest.mark.parametrize("what", SCRIPTS)
def test_what_lies_outside_is_named(tmp_path: Path, what: str) -> None:
    script, path = SCRIPTS[what]
    with pytest.raises(UsageError) as refused:
        audited(tmp_path, script)
    assert refused.value.key == "audit_fails_in_a_copy"
    assert str(tmp_path / "all" / path) in str(refused.value) and "copy of" in str(refused.value)


def test_a_script_outside_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        audited(tmp_path, "pass", words=("../train.py",))
    assert refused.value.key == "audit_fails_in_a_copy"
    assert str(tmp_path / "all/train.py") in str(refused.value)


def test_what_is_nowhere_is_no_fault_of_the_copy(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        audited(tmp_path, "open('../nowhere/prices.csv')")
    assert refused.value.key == "audit_script_fails"


def test_a_script_that_makes_do_without_is_told_in_a_note(tmp_path: Path) -> None:
    script = (
        "import hashlib, os, pickle, time\n"
        "try:\n    data = open('../data/prices.csv').read()\nexcept OSError:\n    data = ''\n"
        "done = pickle.load(open('state.pkl', 'rb')) if os.path.exists('state.pkl') else 0\n"
        "for step in range(done, 10):\n"
        "    for _ in range(100_000):\n        hashlib.sha256(b'').digest()\n"
        "    pickle.dump(step + 1, open('state.tmp', 'wb'))\n    os.replace('state.tmp', 'state.pkl')\n"
        "open('final.txt', 'w').write(data)\n"
    )
    notes = [note for note in audited(tmp_path, script).notes if note.key == "audit_note_outside"]
    assert len(notes) == 1 and str(tmp_path / "all/data/prices.csv") in str(notes[0])


def test_what_the_copy_has_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/x").touch()
    (tmp_path / "copy/b").mkdir(parents=True)
    assert missed(tmp_path / "a/b", tmp_path / "copy/b", ["python", "../x"], [], "") == tmp_path / "a/x"
    assert missed(tmp_path / "a/b", tmp_path / "copy/b", ["python", ".."], [], "") is None
    (tmp_path / "copy/x").touch()
    assert missed(tmp_path / "a/b", tmp_path / "copy/b", ["python", "../x"], [], "") is None

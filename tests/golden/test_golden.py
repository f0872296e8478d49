"""What 0.1.0 wrote is listed, verified and resumed, to the bits that 0.1.0 itself ended with."""

import warnings
from pathlib import Path

import pytest

from tests.golden import folders
from tests.golden.folders import GOLDEN, Ended
from tests.kill.toolkit import Nursery
from unbroken.cli import main

ENDINGS = [(name, ending) for name, golden in GOLDEN.items() for ending in golden.endings]


@pytest.mark.parametrize("name", GOLDEN)
def test_listed_and_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    checkpoints = folders.unpack(name, tmp_path) / "checkpoints"
    assert main(["list", str(checkpoints)]) == 0
    listed = capsys.readouterr().out
    assert [path.name for path in checkpoints.glob("*.pth") if path.name not in listed] == []
    for folder in (checkpoints, *(checkpoints / "archive").glob("*")):
        assert main(["verify", str(folder)]) == 0, capsys.readouterr()


@pytest.mark.parametrize(("name", "ending"), ENDINGS)
@pytest.mark.one_in(7)
def test_ends_with_the_bits_it_would_have_ended_with(nursery: Nursery, tmp_path: Path, name: str, ending: str) -> None:
    folder = folders.unpack(name, tmp_path / "run")
    ended = folders.go_on(nursery, GOLDEN[name], folder, GOLDEN[name].endings[ending])
    must_be_as_recorded(ended, name, ending)


def test_one_whose_newest_file_is_damaged_goes_on_from_the_one_before(nursery: Nursery, tmp_path: Path) -> None:
    name = "inside an epoch"
    folder = folders.unpack(name, tmp_path / "run")
    latest = folder / "checkpoints" / "checkpoint_latest.pth"
    content = bytearray(latest.read_bytes())
    content[len(content) // 2] ^= 1
    latest.write_bytes(content)
    ended = folders.go_on(nursery, GOLDEN[name], folder, ())
    assert latest.with_name(f"{latest.name}.damaged").exists()
    ended.exact.update({begun: bits for begun, bits in recorded(name).exact.items() if begun.startswith("begun")})
    must_be_as_recorded(ended, name)


def recorded(name: str, ending: str = "newest") -> Ended:
    return Ended(**folders.record(name)["endings"][ending])


def must_be_as_recorded(ended: Ended, name: str, ending: str = "newest") -> None:
    """Fails with the first names that differ; says so only, where kernels of another machine computed what differs."""
    expected, then, now = recorded(name, ending), folders.record(name)["machine"], folders.machine()
    changed = ", ".join(f"{key} {now[key]}, then {then[key]}" for key in then if now[key] != then[key])
    wrong = folders.parted(ended.exact, expected.exact)
    computed = folders.parted(ended.computed, expected.computed)
    if computed and changed:
        lengths = (len(computed), len(expected.computed))
        warnings.warn(
            "{} of {} values computed here are not those of then ({})".format(*lengths, changed), stacklevel=2
        )
        computed = []
    lines = [*map(str, wrong[:5]), *map(str, computed[:5])]
    assert not lines, f"{len(wrong) + len(computed)} names differ {f'({changed})' if changed else ''}\n" + "\n".join(
        lines
    )

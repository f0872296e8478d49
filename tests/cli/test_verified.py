"""When a checkpoint was last read to its end is known, for as long as it is the same file; subsets get round."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.damage import rot
from tests.store.states import put_with_manifest, state
from unbroken.store import verified
from unbroken.store.folder import CheckpointFolder
from unbroken.store.verified import last_verified, note


def digests(folder: CheckpointFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.checkpoints()}


def test_verify_is_remembered_and_listed(run: CheckpointFolder, unbroken: Command) -> None:
    assert "verified" not in unbroken("list").out.splitlines()[0]
    before = digests(run)
    assert unbroken("verify", "checkpoints/checkpoint_best.pth").code == 0
    assert set(last_verified(run)) == {"checkpoint_best.pth"}
    on = last_verified(run)["checkpoint_best.pth"].on
    assert unbroken("list").row("checkpoint_best.pth")[-2:] == [on[:10], "good"]
    assert unbroken("list").row("checkpoint_latest.pth")[-2:] == ["-", "good"]
    entries = {entry["file"]: entry for entry in unbroken("list", "--json").json["checkpoints"]}
    assert (entries["checkpoint_best.pth"]["verified_on"], entries["checkpoint_best.pth"]["verified_good"]) == (
        on,
        True,
    )
    assert entries["checkpoint_latest.pth"]["verified_on"] is None
    assert digests(run) == before


def test_another_state_under_the_name_is_not_verified(run: CheckpointFolder, unbroken: Command) -> None:
    unbroken("verify")
    assert len(last_verified(run)) == len(run.checkpoints())
    put_with_manifest(run, run.latest, state(16))
    assert run.latest.name not in last_verified(run)
    os.utime(run.best)
    assert run.best.name not in last_verified(run)


def test_what_was_found_damaged_is_said_by_list(run: CheckpointFolder, unbroken: Command) -> None:
    rot(run.epoch(10), 100.0)
    assert unbroken("verify").code == 5
    said = unbroken("list").out
    assert "checkpoints/checkpoint_epoch_10.pth was found damaged when it was read on" in said


def test_what_no_seal_fits_and_was_found_damaged_is_listed_as_damaged(run: CheckpointFolder, unbroken: Command) -> None:
    rot(run.epoch(10), 100.0)
    os.utime(run.epoch(10))
    assert unbroken("list").row("checkpoint_epoch_10.pth")[-1] == "unverified"
    assert unbroken("verify").code == 5
    assert unbroken("list").row("checkpoint_epoch_10.pth")[-1] == "damaged"
    (entry,) = (e for e in unbroken("list", "--json").json["checkpoints"] if e["file"] == "checkpoint_epoch_10.pth")
    assert entry["state"] == "damaged" and "was found damaged when it was read on" in entry["reason"]


def test_subsets_get_round(run: CheckpointFolder, unbroken: Command) -> None:
    count = len(run.checkpoints())
    seen: set[str] = set()
    for _ in range(count):
        found = unbroken("verify", "--subset", "1%", "--json").json
        assert found["subset"] == {"files": 1, "of": count}
        name = found["checkpoints"][0]["file"]
        assert name not in seen
        seen.add(name)
    assert seen == set(digests(run))
    said = unbroken("verify", "--subset", "50%").out
    assert "every one of them was verified on" in said
    assert 1 < said.count("checkpoint_") < count


def test_what_was_never_verified_is_said(run: CheckpointFolder, unbroken: Command) -> None:
    count = len(run.checkpoints())
    assert f"1 of {count} files read; {count - 1} have never been verified" in unbroken("verify", "--subset", "1%").out
    assert unbroken("verify", "--subset", "100%").out.count(".pth") == count


@pytest.mark.parametrize("word", ["0%", "101%", "10", "ten%", "-5%", "٣%"])
def test_what_is_no_share_is_refused(run: CheckpointFolder, unbroken: Command, word: str) -> None:
    assert unbroken("verify", f"--subset={word}").code == 2


def test_a_folder_of_files_alone_gets_nothing_more(here: Path, run: CheckpointFolder, unbroken: Command) -> None:
    (here / "plain").mkdir()
    (here / "plain" / "mine.pth").write_bytes(run.best.read_bytes())
    assert unbroken("verify", "plain").code == 0
    assert [path.name for path in (here / "plain").iterdir()] == ["mine.pth"]


def test_where_it_cannot_be_noted_that_is_said(run: CheckpointFolder, unbroken: Command) -> None:
    run.verified.mkdir()
    said = unbroken("verify")
    assert said.code == 0 and "can't be noted" in said.err


def test_damaged_lines_count_for_nothing_and_old_ones_go(run: CheckpointFolder, unbroken: Command) -> None:
    unbroken("verify")
    good = run.verified.read_bytes()
    run.verified.write_bytes(b"garbage\n00000000[]\n" + good[:40] + b"\n" + good + b"\xff\xfe")
    assert len(last_verified(run)) == len(run.checkpoints())
    status = run.best.stat()
    for turn in range(verified._SPARE + 30):
        note(run, {run.best.name: (status, True)}, f"2026-01-01 00:{turn // 60:02}:{turn % 60:02}")
    assert len(run.verified.read_bytes().splitlines()) <= verified._SPARE + 2 * len(run.checkpoints()) + 1
    assert len(last_verified(run)) == len(run.checkpoints())

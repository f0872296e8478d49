"""Every command in README and pages, typed as printed by a reader of a fresh clone, in their order."""

import json
import re

import pytest

from tests.docs.conftest import Reader, typed_blocks
from tests.docs.pages import CRASH, PROGRAM, page
from unbroken import contract

COMMANDS = [block.label for block in typed_blocks()]
# Typed by the check before a change lands itself, or after all the others: each takes as long as those before together.
LONG = {"test command", "program", "compare"}
RESUMED = re.compile(contract.RESUMED.format(epoch=r"(\d+)"))


def test_every_block_of_commands_has_a_name_of_its_own() -> None:
    assert all(COMMANDS) and len(set(COMMANDS)) == len(COMMANDS)


@pytest.mark.parametrize(
    "label", [pytest.param(label, marks=pytest.mark.slow if label in LONG else ()) for label in COMMANDS]
)
def test_it_works_as_printed(reader: Reader, label: str) -> None:
    typed = reader.type(label)
    assert typed.code == 0, typed.said[-3000:]
    assert "Traceback" not in typed.said


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_comparison_prints_the_table_of_the_page(patient_reader: Reader) -> None:
    assert patient_reader.run("pip install --no-deps .").code == 0
    typed = patient_reader.run(page(PROGRAM).block("compare").text)
    assert typed.code == 0, typed.said[-3000:]
    printed = [line for line in typed.said.splitlines() if line.startswith("| ")]
    assert printed and "\n".join(printed[1:]) in page(PROGRAM).text


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_main_job_works_on_the_whole_data_and_goes_on(patient_reader: Reader) -> None:
    for label in ("main job", "resume"):
        typed = patient_reader.type(label)
        assert typed.code == 0, typed.said[-3000:]
    results = json.loads((patient_reader.clone / "results.json").read_text(encoding="utf-8"))
    assert results["epochs"] == 25
    assert results["correlation"]["network_best"] > results["correlation"]["persistence"]


def test_the_main_job_leaves_the_files_that_the_page_names(reader: Reader) -> None:
    before = reader.type("main job")
    assert before.code == 0, before.said[-3000:]
    named = {name for row in page(CRASH).table_after("## The files") for name in re.findall(r"`([^`]+)`", row[0])}
    assert len(named) > 8
    later = {"checkpoints/archive/"}
    missing = [name for name in named - later if not (reader.clone / name).exists()]
    assert missing == []


@pytest.mark.slow
def test_a_training_begun_anew_moves_the_one_before_to_the_archive(reader: Reader) -> None:
    reader.type("program")
    assert (reader.clone / "checkpoints" / "archive").is_dir()


@pytest.mark.slow
def test_each_way_to_resume_goes_on_where_the_page_says(reader: Reader) -> None:
    reader.type("program")
    started = [int(epoch) for epoch in RESUMED.findall(reader.log)]
    assert started == [26, 26, 11]  # the recommended way, the newest by hand, one epoch by hand


@pytest.mark.slow
def test_a_run_of_every_third_epoch_keeps_the_two_newest(reader: Reader) -> None:
    reader.type("program")
    kept = {path.name for path in (reader.clone / "checkpoints" / "archive").rglob("checkpoint_epoch_*.pth")}
    assert {"checkpoint_epoch_21.pth", "checkpoint_epoch_24.pth"} <= kept
    assert "checkpoint_epoch_18.pth" not in kept
    assert "checkpoint_epoch_5.pth" in reader.checkpoints()


def test_the_list_shows_every_checkpoint(reader: Reader) -> None:
    said = reader.type("unbroken").said
    names = ["latest", "best", "previous", *(f"epoch_{epoch}" for epoch in range(5, 26, 5))]
    assert [name for name in names if f"checkpoint_{name}.pth" not in said] == []
    assert (reader.clone.parent / "checkpoints-backup" / "checkpoint_latest.pth").is_file()


@pytest.mark.slow
def test_the_test_command_is_there_for_the_check_before_a_change_lands(reader: Reader) -> None:
    typed = reader.type("test command")
    assert re.search(r"\d+ passed", typed.said), typed.said[-2000:]

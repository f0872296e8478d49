"""The loops printed in the README: they run as they stand, and end the same however often they are killed."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import CHINESE, README, page, sides
from tests.kill.toolkit import STOPPED, Difference, Interruption, Moment, Nursery, Outcome, Program, run_to_its_end

SAVED = r"rename checkpoints/checkpoint_latest\.pth"
# The loops seed torch only, and draw from nothing else: these streams begin anew in a process that found nothing saved.
UNSEEDED = re.compile(r".*/unbroken\.streams\.now\.(python|numpy)\b")
LOOPS = {"diff": sides(page(README).block("diff").text)[1], "loop": page(README).block("loop").text}


def parted(outcome: Outcome, left_alone: Outcome) -> list[Difference]:
    return [found for found in outcome.differences(left_alone) if not UNSEEDED.match(found.name)]


def test_three_lines_and_an_import_change() -> None:
    lines = page(README).block("diff").text.splitlines()
    removed = [line[1:].strip() for line in lines if line.startswith("-")]
    added = [line[1:].strip() for line in lines if line.startswith("+")]
    assert removed == ["for epoch in range(1, 51):", "for inputs, targets in loader:"]
    assert added[0] == "import unbroken"
    assert len(added) == 4


def test_the_loop_before_the_change_is_a_plain_one_that_runs(tmp_path: Path) -> None:
    before = sides(page(README).block("diff").text)[0]
    assert "unbroken" not in before and "run" not in before
    script = tmp_path / "plain.py"
    script.write_text(before.replace("range(1, 51)", "range(1, 3)"), encoding="utf-8")
    ended = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_of_the_page_survives_kills(nursery: Nursery, tmp_path: Path, name: str) -> None:
    script = tmp_path / "training.py"
    script.write_text(LOOPS[name], encoding="utf-8")
    left_alone = run_to_its_end(nursery, Program(script), tmp_path / "left alone")
    assert left_alone.problems == []

    kills = [
        Interruption(Moment("at its start", "launched", delay=0.05)),
        Interruption(Moment("in epoch 3", SAVED, nth=3, delay=0.004)),
        Interruption(Moment("in a save", r"create checkpoints/\.checkpoint_latest\.pth\.", nth=9), target="main"),
    ]
    outcome = run_to_its_end(nursery, Program(script), tmp_path / "killed", kills)
    assert outcome.problems == []
    assert len(outcome.delivered) == len(kills), outcome.story()
    assert parted(outcome, left_alone) == []


def test_a_stop_inside_an_epoch_is_gone_on_from_inside_it(nursery: Nursery, tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    telling = "optimizer.step()\n        say('batch', run.epoch, run.batch, run.step)\n"
    loop = LOOPS["loop"].replace("optimizer.step()\n", telling)
    script.write_text(f"from tests.kill.toolkit.script import say\n{loop}", encoding="utf-8")
    stop = Interruption(Moment("batch", "batch 4 17 "), signal.SIGTERM, hold="batch 4 17")
    left_alone = run_to_its_end(nursery, Program(script), tmp_path / "left alone")
    outcome = run_to_its_end(nursery, Program(script), tmp_path / "stopped", [stop])
    assert [attempt.code for attempt in outcome.attempts] == [STOPPED, 0]
    assert "第 4 轮已完成 17/40 批" in outcome.attempts[1].log
    assert outcome.problems == []
    assert parted(outcome, left_alone) == []


def test_both_pages_print_the_same_loops() -> None:
    for label in ("diff", "loop"):
        assert page(CHINESE).block(label).text == page(README).block(label).text

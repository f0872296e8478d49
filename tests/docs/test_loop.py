"""The loops printed in README and pages: they run as they stand, and end the same however often they are killed."""

import re
import signal
import textwrap
from pathlib import Path

import pytest

from tests.docs.pages import CHINESE, LOOPS, README, chinese_of, page, sides
from tests.kill.toolkit import STOPPED, Difference, Interruption, Moment, Nursery, Outcome, Program, run_to_its_end

SAVED = r"rename checkpoints/checkpoint_latest\.pth"
# The loops seed torch only, and draw from nothing else: these streams begin anew in a process that found nothing saved.
# And whether gradients nobody misses are in a file depends on how long this process has watched them.
MAY_DIFFER = re.compile(r".*/unbroken\.(streams\.(now|epoch_start)\.(python|numpy)|grads)\b")
_STEPS = page(LOOPS).block("steps").text


def _in_the_loop_of_steps(first: str, block: str) -> str:
    """A block of a loop without a loader, in place of what the whole script has from the line ``first`` to its loss."""
    head, _, rest = _STEPS.partition(first)
    _, loss, body = rest.partition("    loss = ")
    text = page(LOOPS).block(block).text
    if "...\n" not in text:
        return head + text + loss + body
    loop, _, _ = text.partition("        ...\n")
    return head + first + loop + textwrap.indent(loss + body, "    ")


PRINTED = {
    "diff": sides(page(README).block("diff").text)[1],
    "loop": page(LOOPS).block("loop").text,
    "steps": _STEPS,
    "generator": _in_the_loop_of_steps("run.track(model=model, optimizer=optimizer)\n", "generator"),
    "order": _in_the_loop_of_steps("run.track(model=model, optimizer=optimizer)\n", "order"),
}


def parted(outcome: Outcome, left_alone: Outcome) -> list[Difference]:
    return [found for found in outcome.differences(left_alone) if not MAY_DIFFER.match(found.name)]


def test_three_lines_and_an_import_change() -> None:
    lines = page(README).block("diff").text.splitlines()
    removed = [line[1:].strip() for line in lines if line.startswith("-")]
    added = [line[1:].strip() for line in lines if line.startswith("+")]
    assert removed == ["for epoch in range(1, 51):", "for inputs, targets in loader:"]
    assert added[0] == "import unbroken"
    assert len(added) == 4


def test_the_loop_before_the_change_is_a_plain_one_that_runs(nursery: Nursery, tmp_path: Path) -> None:
    before = sides(page(README).block("diff").text)[0]
    assert "unbroken" not in before and "run" not in before
    script, folder = tmp_path / "plain.py", tmp_path / "work"
    script.write_text(before, encoding="utf-8")
    folder.mkdir()
    ended = nursery.attempt(Program(script), folder)
    assert ended.code == 0, ended.log


def shorter(loop: str) -> str:
    """The same loop with fewer epochs or steps."""
    short = re.sub(r"run\.epochs\(\d+", "run.epochs(40", re.sub(r"run\.steps\(\d+", "run.steps(2500", loop))
    assert short != loop
    return short


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "diff" else pytest.mark.slow) for name in PRINTED]
)
def test_a_loop_of_the_page_survives_kills(nursery: Nursery, tmp_path: Path, name: str) -> None:
    script = tmp_path / "training.py"
    script.write_text(shorter(PRINTED[name]), encoding="utf-8")
    left_alone = run_to_its_end(nursery, Program(script), tmp_path / "left alone")
    assert left_alone.problems == []

    kills = [
        Interruption(Moment("at its start", "launched", delay=0.05)),
        Interruption(Moment("in a save", r"create checkpoints/\.checkpoint_latest\.pth\.", nth=1), target="main"),
        Interruption(Moment("behind a save", SAVED, nth=2, delay=0.004)),
    ]
    outcome = run_to_its_end(nursery, Program(script), tmp_path / "killed", kills)
    assert outcome.problems == []
    assert len(outcome.delivered) == len(kills), outcome.story()
    assert parted(outcome, left_alone) == []


def test_a_stop_inside_an_epoch_is_gone_on_from_inside_it(nursery: Nursery, tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    telling = "optimizer.step()\n        say('batch', run.epoch, run.batch, run.step)\n"
    loop = shorter(PRINTED["loop"]).replace("optimizer.step()\n", telling)
    script.write_text(f"from tests.kill.toolkit.script import say\n{loop}", encoding="utf-8")
    stop = Interruption(Moment("batch", "batch 4 17 "), signal.SIGTERM, hold="batch 4 17")
    left_alone = run_to_its_end(nursery, Program(script), tmp_path / "left alone")
    outcome = run_to_its_end(nursery, Program(script), tmp_path / "stopped", [stop])
    assert [attempt.code for attempt in outcome.attempts] == [STOPPED, 0]
    assert "第 4 轮已完成 17/20 批" in outcome.attempts[1].log
    assert outcome.problems == []
    assert parted(outcome, left_alone) == []


def test_both_pages_print_the_same_loops() -> None:
    assert page(CHINESE).block("diff").text == page(README).block("diff").text
    for label in ("loop", "steps", "generator", "order", "kept", "learning rate", "variables"):
        assert page(chinese_of(LOOPS)).block(label).text == page(LOOPS).block(label).text


@pytest.mark.parametrize("label", ["local", "variables"])
def test_variables_of_the_loop_are_kept_as_printed(nursery: Nursery, tmp_path: Path, label: str) -> None:
    text = page(LOOPS).block(label).text
    shown = "say('kept', local.best, local.patience)" if label == "local" else _LOOP
    script, folder = tmp_path / "training.py", tmp_path / "work"
    script.write_text(f"{_BEFORE}{text}{shown}\n", encoding="utf-8")
    folder.mkdir()
    for number in (1, 2):  # the second has nothing to train, and the values of the first
        ended = nursery.attempt(Program(script), folder, number=number)
        assert ended.code == 0, ended.log
        assert "kept 1.0 49" in ended.lines, ended.log


def test_the_best_three_and_every_tenth_are_kept_and_no_others(nursery: Nursery, tmp_path: Path) -> None:
    _end(nursery, tmp_path, f"{_MODEL}{page(LOOPS).block('kept').text}{_SWINGING}", "work")
    kept = {path.stem for path in (tmp_path / "work" / "checkpoints").glob("*_epoch_*")}
    lowest = {11, 17, 30}  # of the sine of 1 to 34
    assert kept == {f"checkpoint_epoch_{epoch}" for epoch in {10, 20, 30} | lowest}


def test_another_learning_rate_holds_from_the_resume_on_and_is_scaled_once(nursery: Nursery, tmp_path: Path) -> None:
    changed = page(LOOPS).block("learning rate").text
    before = changed.replace("1e-4", "1e-3").replace('run.keep_built("optimizer.lr")\n', "")
    assert len(before) < len(changed)
    for number, (block, rate) in enumerate([(before, "0.0005"), (changed, "2.5e-05"), (changed, "1.25e-05")], 1):
        script = _MODEL + _OF_RUN + block + _HALVED.format(epochs=number)
        assert f"rate {rate}" in _end(nursery, tmp_path, script, "work", number)


def _end(nursery: Nursery, folder: Path, text: str, work: str, number: int = 1) -> list[str]:
    """The lines that the script told, having ended well."""
    script = folder / "training.py"
    script.write_text(text, encoding="utf-8")
    (folder / work).mkdir(exist_ok=True)
    ended = nursery.attempt(Program(script), folder / work, number=number)
    assert ended.code == 0, ended.log
    return list(ended.lines)


_MODEL = """import math
import torch
import unbroken
from tests.kill.toolkit.script import say

model = torch.nn.Linear(2, 1)
"""
_SWINGING = """run.track(model=model)
for epoch in run.epochs(34):
    run.record(val_losses=math.sin(epoch))
"""
_OF_RUN = 'run = unbroken.Run("checkpoints")\n'
_HALVED = """scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
run.track(scheduler=scheduler)
for epoch in run.epochs({epochs}):
    optimizer.step()
    scheduler.step()
say("rate", f"{{optimizer.param_groups[0]['lr']:.6g}}")
"""
_BEFORE = """from tests.kill.toolkit.script import say
import unbroken

run, val_loss, best, patience = unbroken.Run("checkpoints"), 1.0, None, 0
"""
_LOOP = """
for epoch in run.epochs(50):
    best, patience = (val_loss, 0) if best is None else (best, patience + 1)
say("kept", best, patience)
"""

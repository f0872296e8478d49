"""What the log says at a resume: one line, in the user's language, and the promised ones where they were promised."""

import logging
import re
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import unbroken
from tests.run.loop import BrokenOffError, Lines, Trial, break_off_at
from unbroken.keep import promised
from unbroken.keep.saying import surroundings
from unbroken.state.guards import Change, that_matter
from unbroken.store.runstate import Surroundings


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> "Shown":
    log = logging.getLogger("unbroken.contract")  # as in a program that has not set it up
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", True)
    return Shown()


class Shown:
    """What a script has on its console: the log ``unbroken``, with whatever goes up to it."""

    def lines(self, folder: Path, epochs: int) -> list[str]:
        log, lines = logging.getLogger("unbroken"), Lines()
        level = log.level
        log.addHandler(lines)
        log.setLevel(logging.INFO)
        try:
            Trial(folder, every_steps=2).train(epochs)
        finally:
            log.removeHandler(lines)
            log.setLevel(level)
        return lines.lines


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_promised_lines_are_shown_where_the_language_is_chinese(
    tmp_path: Path, shown: Shown, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", lang)
    with pytest.raises(BrokenOffError):
        Trial(tmp_path, every_steps=2).train(3, break_off_at("batch 2 4"))
    lines = shown.lines(tmp_path, 3)
    found = [line for line in lines if line.startswith(("恢复训练，从 epoch 2 开始", "当前最佳", "第 2 轮", "已重放"))]
    assert len(found) == (4 if lang == "zh" else 0)
    if lang == "en":
        said = [line.partition(" ")[0] for line in lines if "self.trained" not in line]  # a list that is not kept
        assert said == ["Resumed", "Replayed", "Done:"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_promised_line_that_is_an_error_is_not_written_past_the_log_either(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], lang: str
) -> None:
    """What no handler takes, ``logging`` writes to stderr from a warning on."""
    monkeypatch.setenv("UNBROKEN_LANG", lang)
    monkeypatch.setattr(logging.getLogger("unbroken"), "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    promised.say("重放在第 2 步与中断前不一致：state", logging.ERROR)
    assert ("重放" in capfd.readouterr().err) == (lang == "zh")


def test_a_finished_run_says_that_it_is_complete_and_nothing_of_a_next_epoch(
    tmp_path: Path, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    Trial(tmp_path).train(2)
    text = "\n".join(shown.lines(tmp_path, 2))
    assert "Complete: nothing to train. 2 of 2 epochs were done before" in text
    assert "epoch 3" not in text and "Done" not in text


def test_packages_that_are_not_used_are_counted_and_what_matters_is_all_named(
    log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    now = {"threads": "2", "cpu": "another", **{f"package none-{number}": "2.0" for number in range(20)}}
    then = dict.fromkeys(now, "1.0")
    told = surroundings(Surroundings({}, then, None), Surroundings({}, now, None))
    (line,) = (line for line in log.lines if line.startswith("Environment"))
    assert line.index("threads") < line.index("cpu") < line.index("none-0") < line.index("none-4")
    assert "none-5" not in line and "15 more" in line and len(told) == 2


def test_the_file_that_a_complete_run_is_said_to_be_in_is_there(
    tmp_path: Path, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    Trial(tmp_path, every_epochs=1).train(2)
    (tmp_path / "checkpoint_latest.pth").write_bytes(b"torn")
    (line,) = (line for line in shown.lines(tmp_path, 2) if line.startswith("Complete"))
    named = re.search(r"before; (\S+) has the state", line)
    assert named is not None and Path(named[1]).exists() and not named[1].endswith("latest.pth")


def test_what_only_the_body_of_a_finished_loop_sets_is_told_by_name(
    tmp_path: Path, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")

    def epochs() -> None:
        run, best = run_over(tmp_path / "epochs"), None
        for epoch in run.epochs(2):
            loss = best = run.step + epoch
            only_inside = [loss]
            print(only_inside)
        run.close()
        print(loss, best, epoch, Path, len)
        late = 1
        print(late)

    def left_early() -> None:
        run = run_over(tmp_path / "early")
        for epoch in run.epochs(3):
            if epoch == 2:
                break
        run.close()
        print(epoch)

    names = {"run_over": run_over, "path": tmp_path / "steps"}
    steps = compile("for i in run_over(path).steps(3):\n    loss = i\nloss.real\nlate = 1\nlate", "<string>", "exec")
    scripts = ((epochs, {"epoch, loss"}), (left_early, {"epoch"}), (lambda: exec(steps, dict(names)), {"loss"}))
    for script, told in scripts:
        script()
        assert not [line for line in log.lines if "do not exist" in line]
        with pytest.raises(NameError):
            script()
        assert {found for line in log.lines for found in re.findall(r"do not exist: (.*?) \(", line)} == told
        del log.lines[:]


def run_over(folder: Path) -> unbroken.Run:
    run = unbroken.Run(folder)
    run.track(weight=torch.zeros(1))
    return run


def test_the_forecast_says_nothing_of_epochs_beyond_all_that_are_planned(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path, every_epochs=1)
    for _ in trial.run.steps(2):
        pass
    trial.run.close()
    (said,) = [line for line in log.lines if "A checkpoint takes" in line]
    assert said.endswith("enough for more than 10000 epochs.")


def test_a_loop_without_epochs_is_told_by_its_steps(tmp_path: Path, log: Lines) -> None:
    for asked in ("error", "stop", "end"):
        run = run_over(tmp_path)
        with suppress(BrokenOffError):
            for step in run.steps(9):
                if asked == "error" and step == 4:
                    run.save()
                if asked == "error" and step == 6:
                    raise BrokenOffError
                if asked == "stop" and step == 8:
                    run.stop("enough")
        run.close()
    said = "\n".join(filter(str.isascii, log.lines)).replace(str(tmp_path), "")  # but for the promised ones
    assert "The loop was left in step 6 before its end" in said and "goes on after step 4." in said
    assert "Ended on purpose after step 8 (enough)" in said and "epoch" not in said


def test_a_package_that_the_script_has_not_imported_is_no_reason_to_warn() -> None:
    changes = [Change(key, "1", "2") for key in ("python", "package pytest", "package nobody-has-this")]
    assert [change.key for change in that_matter(changes)] == ["python", "package pytest"]

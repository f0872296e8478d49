"""The command as a whole: exit codes, one line for an error, both languages, and how little it starts."""

import json
import os
import pty
import re
import resource
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.store.states import put_with_manifest, state
from unbroken import __version__
from unbroken.messages import sentences
from unbroken.store.folder import CheckpointFolder

Process = Callable[..., "subprocess.CompletedProcess[str]"]
COMMANDS = ("list", "show", "verify", "diff", "resume-point", "keep", "prune", "backup", "restore", "export", "audit")


@pytest.mark.parametrize("words", [["list"], ["show", "checkpoints/checkpoint_latest.pth"], ["resume-point"]])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_looking_imports_neither_torch_nor_numpy(
    run: CheckpointFolder, process: Process, words: list[str], options: list[str]
) -> None:
    program = (
        "import sys; from unbroken.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or ', '.join({'torch', 'numpy', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = process(["-c", program, *words, *options])
    assert (done.returncode, done.stderr) == (0, "")


def test_list_answers_at_once(run: CheckpointFolder, process: Process) -> None:
    """In processor time, so that other work on the machine does not count."""

    def seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    costs = []
    for _ in range(4):
        before = seconds()
        assert process(["-m", "unbroken", "list"]).returncode == 0
        costs.append(seconds() - before)
    assert min(costs) < 0.3


def test_the_script_and_the_module_are_the_same(run: CheckpointFolder, process: Process) -> None:
    script = subprocess.run([Path(sys.executable).with_name("unbroken"), "list"], capture_output=True, text=True)
    assert script.returncode == 0
    assert script.stdout == process(["-m", "unbroken", "list"]).stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["train"],
        ["show"],
        ["diff", "one.pth"],
        ["prune", "--keep", "0"],
        ["prune", "--keep", "few"],
        ["list", "--lang", "fr"],
        ["list", "--jso"],
    ],
)
def test_a_wrong_word_is_a_usage_error(unbroken: Command, words: list[str]) -> None:
    said = unbroken(*words)
    assert said.code == 2
    assert said.out == ""
    assert "usage: unbroken" in said.err


@pytest.mark.parametrize("words", [["list", "--bogus", "--json"], ["show", "--json"], ["bogus", "--json"]])
def test_a_wrong_word_is_a_document_too_where_one_was_asked_for(unbroken: Command, words: list[str]) -> None:
    said = unbroken(*words)
    document = json.loads(said.out)
    assert (said.code, document["kind"], document["exit_code"]) == (2, "UsageError", 2)
    assert document["error"] in said.err


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        (["show"], "missing: FILE", "缺少参数：FILE"),
        (["train"], "COMMAND cannot be 'train'", "COMMAND 不能是 'train'"),
        (["list", "--lang", "fr"], "--lang cannot be 'fr'", "--lang 不能是 'fr'"),
        (["list", "--jso"], "not understood: --jso", "无法识别的参数：--jso"),
        (["prune", "--keep"], "--keep needs a value", "--keep 需要一个值"),
        (["prune", "--keep", "few"], "'few' is not a valid value", "--keep 的值 'few' 无效"),
        (["list", "--json=3"], "--json takes no value", "--json 不接受值"),
    ],
)
def test_what_is_wrong_with_the_words_is_said_in_the_users_language(
    unbroken: Command, monkeypatch: pytest.MonkeyPatch, words: list[str], english: str, chinese: str
) -> None:
    assert english in unbroken(*words).err
    monkeypatch.setenv("UNBROKEN_LANG", "zh")
    said = unbroken(*words)
    assert said.code == 2 and chinese in said.err and said.err.startswith("用法：")
    assert not re.search(r"error|argument|required|invalid", said.err)


def test_the_headings_of_the_help_are_in_the_users_language(unbroken: Command) -> None:
    shown = unbroken("prune", "--lang", "zh", "--help").out
    assert all(heading in shown for heading in ("用法：", "参数：", "选项：")) and "options" not in shown


def test_version_and_help(unbroken: Command) -> None:
    assert unbroken("--version").out == f"{__version__}\n"
    said = unbroken("--help")
    assert said.code == 0
    assert all(f"    {command} " in said.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_in_both_languages(
    unbroken: Command, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"cli_help_{command.replace('-', '_')}"
    english, chinese = sentences("en")[key], sentences("zh")[key]
    assert english[:20] in unbroken(command, "--help").out
    assert chinese[:6] in unbroken(command, "--lang", "zh", "--help").out
    assert os.environ["UNBROKEN_LANG"] == "zh"


@pytest.mark.parametrize("words", [["--lang", "zh", "list"], ["list", "--lang", "zh"], ["list", "--lang=zh"]])
def test_the_language_is_chosen_anywhere_on_the_line(
    run: CheckpointFolder, unbroken: Command, words: list[str]
) -> None:
    assert "完好" in unbroken(*words).out


def test_an_error_is_one_line_without_a_traceback(unbroken: Command) -> None:
    said = unbroken("list")
    assert said.code == 3
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


def test_an_error_is_a_json_document_too(unbroken: Command) -> None:
    said = unbroken("list", "--json")
    assert said.code == 3
    assert said.json == {"error": said.err.strip(), "kind": "NothingToResumeError", "exit_code": 3}


def test_a_folder_that_is_a_file(unbroken: Command, here: Path) -> None:
    (here / "checkpoints").write_text("")
    said = unbroken("list")
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert "is a file" in said.err


def test_a_name_cannot_take_over_the_terminal(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.path / "a\x1b[2J\nb.pth", state(1))
    said = unbroken("list")
    assert said.code == 0
    assert "\x1b" not in said.out
    assert "a\\x1b[2J\\nb.pth" in said.out
    said = unbroken("show", "checkpoints/missing\x1b[2J.pth")
    assert "\x1b" not in said.err


def test_a_name_that_is_not_text(folder: CheckpointFolder, process: Process) -> None:
    put_with_manifest(folder, folder.path / "a\udcff.pth", state(1))
    for options in ([], ["--json"]):
        done = process(["-m", "unbroken", "list", *options])
        assert (done.returncode, done.stderr) == (0, "")
        assert "a\\udcff.pth" in done.stdout


def test_a_terminal_without_chinese(run: CheckpointFolder, process: Process) -> None:
    for options in ([], ["--json"]):
        done = process(["-m", "unbroken", "resume-point", "--lang", "zh", *options], {"PYTHONIOENCODING": "ascii"})
        assert (done.returncode, done.stderr) == (0, "")
        assert "\\u" in done.stdout


def test_nobody_reads_to_the_end(run: CheckpointFolder) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "unbroken", "list"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_terminal_of_80_columns_breaks_no_name(run: CheckpointFolder) -> None:
    keyboard, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    env = {**os.environ, "NO_COLOR": "1", "TERM": "xterm"}
    env.pop("COLUMNS", None)
    with subprocess.Popen([sys.executable, "-m", "unbroken", "list"], stdout=terminal, env=env) as process:
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(keyboard, 4096):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0
    os.close(keyboard)
    table = shown.decode().replace("\x1b[1m", "").replace("\x1b[0m", "").split("good: as sealed")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert all(f"{path.name} " in table for path in run.checkpoints())
    assert table.count("2026-01-02") == len(run.checkpoints())


def test_columns_of_chinese_line_up(run: CheckpointFolder, unbroken: Command) -> None:
    from rich.cells import cell_len

    lines = unbroken("list", "--lang", "zh").out.splitlines()[:7]
    starts = {cell_len(re.split(r"(?:完好|状态)", line)[0]) for line in lines}
    assert len(starts) == 1

"""The pages say the same in both languages, and every name in them is one that exists."""

import contextlib
import inspect
import io
import re
import string
from collections.abc import Callable, Mapping

import pytest

import forecaster.messages
import unbroken
from forecaster import cli as program
from forecaster.flags import make_parser
from tests.docs.conftest import typed_blocks
from tests.docs.pages import (
    CHINESE,
    COMMAND,
    CRASH,
    LOOPS,
    PAGES,
    PAIRS,
    PROGRAM,
    README,
    ROOT,
    chinese_of,
    codes_in,
    page,
)
from unbroken import contract, messages
from unbroken.cli import main
from unbroken.errors import EXIT_STOPPED
from unbroken.store.folder import CheckpointFolder

# The one section that the Chinese page has for itself: a walk through everything, in the order of a user's guide.
GUIDE = "使用指南：从头到尾"

OF_LAUNCHERS = {
    *("--nproc-per-node", "--max-restarts", "--signals-to-handle", "--shutdown-timeout"),
    *("--nodes", "--ntasks-per-node", "--gpus-per-node", "--time", "--signal", "--requeue", "--open-mode"),
}
# Flags of other people's commands that our pages show.
OF_OTHERS = {
    "--strict",
    "--collect-only",
    "--check",
    "--one-in",
    "--nothing-left-out",
    "--only",
    "--breakdown",
    *OF_LAUNCHERS,
}


BOTH = pytest.mark.parametrize(("english", "chinese"), PAIRS)


@pytest.mark.parametrize("name", [README, CHINESE])
def test_the_readme_is_of_150_lines_at_most(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 150


@BOTH
def test_both_pages_have_the_same_sections(english: str, chinese: str) -> None:
    sections = page(chinese).sections
    if english == PROGRAM:
        sections.remove(GUIDE)
    assert len(sections) == len(page(english).sections)


@BOTH
def test_both_pages_have_the_same_commands_and_programs(english: str, chinese: str) -> None:
    def shown(name: str) -> list[tuple[str, str, str]]:
        blocks = page(name).blocks
        return [(block.label, block.language, block.text) for block in blocks if block.language != "log"]

    assert shown(chinese) == shown(english)


@BOTH
def test_both_pages_have_the_same_tables(english: str, chinese: str) -> None:
    def rows(name: str) -> list[list[str]]:
        text = re.sub(rf"## {GUIDE}\n.*?(?=^## )", "", page(name).text, flags=re.DOTALL | re.MULTILINE)
        return [sorted(codes_in(row.partition(" | ")[0])) for row in re.findall(r"^\|.*$", text, re.MULTILINE)]

    assert rows(chinese) == rows(english)


@BOTH
def test_both_pages_lead_to_the_same_places(english: str, chinese: str) -> None:
    def places(name: str) -> set[str]:
        text = re.sub(rf"## {GUIDE}\n.*?(?=^## )", "", page(name).prose, flags=re.DOTALL | re.MULTILINE)
        links = re.findall(r"\]\(((?!https?:)[^)#]+)", text)
        return {link.replace(".zh.md", ".md").replace("README.zh-CN.md", "README.md") for link in links}

    assert places(chinese) == places(english)


def test_both_pages_have_the_same_results() -> None:
    figures = [
        [row[1:] for row in page(name).table_after("<!-- results -->")] for name in (PROGRAM, chinese_of(PROGRAM))
    ]
    assert figures[0] == figures[1]
    assert all(re.search(r"0\.\d{4}", row[0]) for row in figures[0])


@pytest.mark.parametrize("mark", ["<!-- walk-forward -->", "<!-- network beside its like -->"])
def test_both_pages_have_the_same_comparison(mark: str) -> None:
    def figures(name: str) -> list[list[str]]:
        return [[cell for cell in row if re.search(r"\d\.\d{3}", cell)] for row in page(name).table_after(mark)]

    assert figures(chinese_of(PROGRAM)) == figures(PROGRAM)
    assert all(len(row) >= 2 for row in figures(PROGRAM))


def test_every_command_named_in_passing_is_one_that_was_run() -> None:
    """Those in the Chinese guide and in the prose: a reader types them just as well."""
    run = " ".join(line for block in typed_blocks() for line in block.text.splitlines())
    for name in (name for pair in PAIRS for name in pair):
        for code in page(name).codes:
            if re.match(r"(python|unbroken|pip) ", code) and code not in ALSO_TRIED:
                assert code in run, f"{code!r} in {name}"


ALSO_TRIED = {
    *(
        "python -m benchmarks.forecaster",
        "python Training.py --help",
        "unbroken COMMAND --help",
        "unbroken watch",
        "unbroken verify --deep",
    ),
    *(
        "unbroken audit -- python train.py",
        "unbroken audit -- COMMAND",
        "unbroken audit",
        "unbroken report",
        "unbroken report FILE",
        "unbroken audit --json",
        "pip install '.[docs]'",
        "pip install -c constraints.txt .",
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_every_flag_exists(name: str) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page(name).text))
    assert sorted(named - _flags() - OF_OTHERS) == []


def test_every_flag_of_the_program_is_in_its_table() -> None:
    flags = set(re.findall(r"--[a-z-]+", make_parser("").format_usage()))
    columns = {f"--{role}-column" for role in ("stock", "date", "open", "high", "low", "close", "volume", "adjusted")}
    optional = {flag for flag in flags if flag.startswith("--no-")}
    rows = page(PROGRAM).table_after("The third line goes on")
    assert {flag for row in rows for flag in codes_in(row[0])} == flags - columns - optional


def _flags() -> set[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for command in _commands():
            assert main([command, "--help"]) == 0
    from_help = set(re.findall(r"--[a-z-]+", said.getvalue() + make_parser("").format_help()))
    return from_help | {"--list", "--seeds", "--version", "--kills", "--files"}


def _commands() -> list[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main(["--help", "--lang", "en"])
    return re.findall(r"^    ([a-z-]+) {2,}", said.getvalue(), re.MULTILINE)


def test_every_command_of_the_tool_is_in_its_table() -> None:
    commands = _commands()
    assert len(commands) >= 7
    assert [codes_in(row[0])[0] for row in page(COMMAND).table_after("# The `unbroken` command")] == commands


def test_the_table_of_arguments_is_that_of_run() -> None:
    rows = page(LOOPS).table_after("<!-- arguments of Run -->")
    told = {codes_in(row[0])[0]: codes_in(row[1])[0].replace('"', "'") for row in rows}
    parameters = inspect.signature(unbroken.Run).parameters
    assert told == {name: repr(parameter.default) for name, parameter in parameters.items()}


@pytest.mark.parametrize("name", PAGES)
def test_every_attribute_exists(name: str) -> None:
    text = page(name).text
    for attribute in set(re.findall(r"\bunbroken\.([A-Za-z]\w*)\b", text)) - {"streams", "pth", "config", "cli"}:
        assert hasattr(unbroken, attribute) or (ROOT / "src" / "unbroken" / f"{attribute}").exists(), attribute
    for attribute in set(re.findall(r"\brun\.([a-z]\w*)\b", text)) - {"json"}:
        assert hasattr(unbroken.Run, attribute), f"run.{attribute} in {name}"


@pytest.mark.parametrize("name", PAGES)
def test_every_path_and_link_leads_somewhere(name: str) -> None:
    found = page(name)
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", found.prose)
    dead = [link for link in links if not ((ROOT / name).parent / link).exists()]
    paths = [code for code in found.codes if re.fullmatch(r"(src|tests|docs|\.ci)/[\w./-]+", code)]
    dead += [path for path in paths if not (ROOT / path).exists()]
    modules = [code for code in found.codes if re.fullmatch(r"(_\w+|\w+/\w+)\.py", code)]
    roots = (ROOT, ROOT / "src" / "unbroken", ROOT / "src" / "forecaster")
    dead += [path for path in modules if not any((root / path).exists() for root in roots)]
    assert dead == []


@pytest.mark.parametrize("name", PAGES)
def test_every_checkpoint_name_is_one_of_the_folder(name: str) -> None:
    folder = CheckpointFolder("checkpoints")
    fixed = {path.name for path in (folder.latest, folder.previous, folder.best)}
    for found in set(re.findall(r"\bcheckpoint_\w+\.pth\b", page(name).text)):
        number = re.fullmatch(r"checkpoint_(epoch|step)_(\d+|N)\.pth", found)
        assert found in fixed or number, found
    if name in (CRASH, chinese_of(CRASH)):
        for made in (program.CACHE, program.LOG, program.RESULTS, program.PICTURE):
            assert f"`{made}`" in page(name).text


def test_every_exit_code_is_in_the_table() -> None:
    public = [getattr(unbroken, name) for name in dir(unbroken)]
    known = {error.exit_code for error in public if isinstance(error, type) and _is_ours(error)}
    told = {int(row[0]) for row in page(CRASH).table_after("## Exit codes")}
    assert told == {0, *known, EXIT_STOPPED, 130}


def _is_ours(error: type) -> bool:
    return issubclass(error, unbroken.UnbrokenError)


def _pattern(sentence: str) -> str:
    """A regular expression for what a sentence can look like, its values being anything."""
    parts = string.Formatter().parse(sentence)
    return "".join(re.escape(text) + (".+" if field is not None else "") for text, field, _, _ in parts)


def _patterns(sentences: Callable[[str], Mapping[str, str]]) -> list[str]:
    return [_pattern(sentence) for language in messages.LANGUAGES for sentence in sentences(language).values()]


LOG_LINES = [
    *_patterns(messages.sentences),
    *_patterns(forecaster.messages.sentences),
    *map(_pattern, (contract.RESUMED, contract.INSIDE_EPOCH, contract.REPLAYED)),
    contract.BEST_SO_FAR.format(
        label=contract.CORRELATION, best=f"({contract.NO_BEST_YET}|…|{_pattern(contract.BEST)})"
    ),
]


@pytest.mark.parametrize("name", PAGES)
def test_every_line_of_a_log_is_one_that_is_logged(name: str) -> None:
    lines = [line for block in page(name).blocks_in("log") for line in block.text.splitlines()]
    lines += [code for code in page(name).codes if re.match(r"[\u4e00-\u9fff].*(epoch|批|步|: )", code)]
    unknown = [line for line in lines if not any(re.fullmatch(pattern, line) for pattern in LOG_LINES)]
    assert unknown == []
    assert lines or name not in (README, CHINESE)


def test_the_lines_a_user_looks_for_are_all_shown() -> None:
    for name in (README, CHINESE):
        (block,) = page(name).blocks_in("log")
        assert [line.partition(" ")[0] for line in block.text.splitlines()] == [
            "恢复训练，从",
            "当前最佳相关系数:",
            "第",
            "已重放",
        ]


# What the guide has to say, in the order in which a user's guide says it.
SAID: list[tuple[str, str]] = [
    ("a checkpoint every N epochs", r"每 N 轮自动保存一个检查点"),
    ("the newest state after every epoch", r"每轮结束后保存最新状态"),
    ("the full state comes back", r"模型权重、优化器、学习率调度器、训练历史"),
    ("the cache", r"processed_data\.npz.*不会重复预处理"),
    ("from any checkpoint", r"从任何一个检查点恢复"),
    ("from the start", r"`python Training\.py` 从头训练，每 5 轮"),
    ("the frequency", r"--checkpoint-freq.*2、3、10"),
    ("space is checked first", r"检查磁盘\s?空间"),
    ("the parameters are logged", r"全部训练参数写进 `training\.log`"),
    ("the recommended way", r"`python resume_training\.py` 自动找到最新的检查点"),
    ("epochs count from 1", r"第 15 轮之后中断的训练，会从第 16 轮开始"),
    ("the newest by hand", r"--resume \./checkpoints/checkpoint_latest\.pth"),
    ("one epoch by hand", r"checkpoint_epoch_10\.pth` 从第 10 轮.*下一轮就是第 11 轮"),
    ("the list", r"`python resume_training\.py --list`"),
    ("the line of a resume", r"`恢复训练，从 epoch X 开始`"),
    ("the best so far", r"`当前最佳相关系数: 暂无`"),
    ("inside an epoch", r"`第 X 轮已完成 M/N 批`"),
    ("the keys", r"`epoch`(.|\n)*`timestamp`"),
    ("plain torch", r"torch\.load\(path, weights_only=True\)"),
    ("the same data", r"同一份数据文件(.|\n)*--allow-changed-data"),
    ("the same environment", r"环境和依赖版本"),
    ("disk space", r"检查剩余空间"),
    ("old checkpoints", r"unbroken prune --keep 4 --dry-run"),
    ("nothing found", r"找不到检查点？"),
    ("loading fails", r"加载失败？(.|\n)*最新的完好检查点"),
    ("other results", r"恢复后结果不一样？(.|\n)*逐位相同"),
    ("backups", r"unbroken backup checkpoints \.\./checkpoints-backup"),
    ("parameters in the log", r"训练参数写进日志"),
    ("how often to save", r"每 3 到 5 轮保存一次(.|\n)*每 N 步"),
    ("the last line", r"放心地长时间训练，不必担心意外中断"),
]


def test_the_chinese_guide_walks_through_everything_in_order() -> None:
    guide = page(chinese_of(PROGRAM)).text.partition(f"## {GUIDE}")[2].partition("\n## ")[0]
    at = 0
    for about, pattern in SAID:
        found = re.compile(pattern).search(guide, at)
        assert found is not None, about
        at = found.start()


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_for_strangers(name: str) -> None:
    text = page(name).text
    assert not re.search(r"/work\b|/root\b|/home/|\bS\d{1,2}\b|(?<!\()(?<!\.md)#\d+", text)


def test_the_checks_before_a_change_lands_are_those_of_the_page() -> None:
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [line for block in page("CONTRIBUTING.md").blocks_in("bash") for line in block.text.splitlines()]
    ours = [line for line in checks.splitlines() if re.match(r"(ruff|mypy|lint-imports|mkdocs|tests/)", line)]
    assert ours and [line for line in ours if line not in commands] == []

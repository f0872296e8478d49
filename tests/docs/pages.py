"""The documentation as data: sections, fenced blocks by the label in front of them, tables, and names in code."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

README, CHINESE = "README.md", "README.zh-CN.md"
LOOPS, CRASH, PROMISES, COMMAND, PROGRAM, TROUBLE = (
    f"docs/{name}.md" for name in ("loops", "crash", "promises", "command", "program", "troubleshooting")
)
ENGLISH_USERS = (README, LOOPS, CRASH, PROMISES, COMMAND, PROGRAM, TROUBLE, "docs/index.md")
"""What a user reads in English that is there in Chinese, too."""

TYPED = (README, COMMAND, PROGRAM)
"""The pages with commands to type, in the order in which a reader types them."""


def chinese_of(name: str) -> str:
    """The same page in Chinese."""
    return CHINESE if name == README else name.replace(".md", ".zh.md")


PAIRS = [(name, chinese_of(name)) for name in ENGLISH_USERS]
ENGLISH_ONLY = tuple(
    f"docs/{name}.md"
    for name in ("api", "data", "design", "format", "json", "many-processes", "performance", "recipes", "testing")
)
PAGES = (
    *(name for pair in PAIRS for name in pair),
    *ENGLISH_ONLY,
    *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "tests/README.md"),
)

_BLOCK = re.compile(
    r"^(?:<!-- (?P<label>[^\n]+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """One fenced block; ``label`` is what the HTML comment on the line before it says, or empty."""

    label: str
    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """One page; ``name`` is its path in the repository."""

    name: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        return [Block(found["label"] or "", found["language"], found["text"]) for found in _BLOCK.finditer(self.text)]

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def sections(self) -> list[str]:
        """The titles of the second level, in order."""
        return re.findall(r"^## (.+)$", self.prose, re.MULTILINE)

    @property
    def codes(self) -> list[str]:
        """What stands in backticks in the prose."""
        return _CODE.findall(self.prose)

    def blocks_in(self, language: str) -> list[Block]:
        return [block for block in self.blocks if block.language == language]

    def block(self, label: str) -> Block:
        (found,) = (block for block in self.blocks if block.label == label)
        return found

    def table_after(self, line: str) -> list[list[str]]:
        """The rows, without the heading, of the first table after the line that starts with ``line``."""
        after = self.text[re.search(rf"^{re.escape(line)}", self.text, re.MULTILINE).end() :]  # type: ignore[union-attr]
        table = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", after, re.MULTILINE)
        assert table is not None, f"no table after {line!r} in {self.name}"
        return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table[1].splitlines()]


def page(name: str) -> Page:
    return Page(name, (ROOT / name).read_text(encoding="utf-8"))


def codes_in(text: str) -> list[str]:
    return _CODE.findall(text)


def sides(diff: str) -> tuple[str, str]:
    """The text before and after a diff that shows the whole of it."""
    lines = diff.splitlines()
    before = [line[1:] for line in lines if not line.startswith("+")]
    after = [line[1:] for line in lines if not line.startswith("-")]
    return "\n".join(before) + "\n", "\n".join(after) + "\n"

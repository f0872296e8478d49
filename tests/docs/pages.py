"""The documentation as data: sections, fenced blocks by the label in front of them, tables, and names in code."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

README, CHINESE = "README.md", "README.zh-CN.md"
PAGES = (
    *(README, CHINESE, "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *(
        "docs/design.md",
        "docs/format.md",
        "docs/many-processes.md",
        "docs/recipes.md",
        "docs/testing.md",
        "tests/README.md",
    ),
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

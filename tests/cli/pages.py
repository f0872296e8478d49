"""A page as a browser would take it apart: elements with their attributes and text, tables as rows of cells."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_VOID = {"meta", "br", "link", "img", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    inside: list["Element"] = field(default_factory=list)

    def all(self, tag: str) -> list["Element"]:
        """Every element of this tag inside, however deep, in order."""
        return [found for one in self.inside for found in ([one] if one.tag == tag else []) + one.all(tag)]

    @property
    def rows(self) -> list[list[str]]:
        """Of a table."""
        return [[cell.all_text for cell in row.inside if cell.tag in ("td", "th")] for row in self.all("tr")]

    @property
    def all_text(self) -> str:
        return re.sub(r"\s+", " ", self._text()).strip()

    def _text(self) -> str:
        return self.text + " ".join(one._text() for one in self.inside)

    def by_id(self, name: str) -> "Element":
        (found,) = (one for one in self.everything if one.attributes.get("id") == name)
        return found

    @property
    def everything(self) -> list["Element"]:
        return [found for one in self.inside for found in [one, *one.everything]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self._open[-1].inside.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> in <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].text += data


def read(path: Path) -> Element:
    """Fails for a page whose elements are not closed in their order."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert len(reader._open) == 1
    return reader.root


def digest(script: str) -> str:
    """As a content security policy spells it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

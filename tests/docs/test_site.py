"""The documentation as a site: it builds without a warning, and a browser is asked to fetch nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import ENGLISH_ONLY, PAIRS, README, ROOT, TROUBLE, page

_NAMES = [Path(name).stem for name, _ in PAIRS if name != README] + [Path(name).stem for name in ENGLISH_ONLY]


class _Addresses(HTMLParser):
    """Where a page leads to by links, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if tag in ("script", "img", "iframe", "source") and named.get("src"):
            self.loads.append(str(named["src"]))
        if tag == "link" and named.get("href") and named.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.loads.append(str(named["href"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return built


def _addresses(path: Path) -> _Addresses:
    found = _Addresses()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def test_every_page_is_there_in_both_languages(site: Path) -> None:
    assert [name for name in _NAMES if not (site / f"{name}.html").is_file()] == []
    assert [name for name in _NAMES if not (site / "zh" / f"{name}.html").is_file()] == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = {load for path in site.rglob("*.html") for load in _addresses(path).loads}
    assert loaded and [load for load in loaded if re.match(r"(https?:)?//|data:text", load)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(\"?https?:[^)]*|@import[^;]*", styles) == []


def test_every_link_leads_to_a_page_and_a_place_in_it(site: Path) -> None:
    dead = []
    for path in site.rglob("*.html"):
        if path.name == "404.html":
            continue  # it is shown at any address
        for link in _addresses(path).links:
            if re.match(r"https?:|mailto:", link):
                continue
            where, _, place = link.partition("#")
            target = (path.parent / where).resolve() if where else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (place and f'id="{place}"' not in target.read_text(encoding="utf-8")):
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_the_first_page_leads_to_every_page_of_use_by_one_click(site: Path) -> None:
    wanted = {f"{name}.html" for name in _NAMES} - {"index.html"}
    for front in (site / "index.html", site / "zh" / "index.html"):
        assert wanted <= {link.partition("#")[0] for link in _addresses(front).links}


def test_the_api_has_every_public_call_with_an_example(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    for name in (
        "Run",
        "Run.track",
        "Run.epochs",
        "Run.batches",
        "Run.steps",
        "Run.local",
        "load",
        "cached",
        "Stopped",
    ):
        assert f'id="unbroken.{name}"' in text, name
    assert text.count("Examples:") >= 8


def test_troubleshooting_begins_from_what_one_saw() -> None:
    found = page(TROUBLE)
    assert len(found.blocks_in("log")) >= 15
    assert len(found.blocks_in("log")) == len(found.sections) - 1

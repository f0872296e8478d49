"""``unbroken report``: what the page says is what is recorded; what is in it from a file is text and nothing else."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.damage import cut
from tests.cli.pages import Element, digest, read
from tests.cli.told import KILLS, live_through
from tests.store.states import plain_state, put, put_with_manifest, state
from tests.store.test_starts import FIRST
from unbroken.cli.reports.curves import curves_of, thinned
from unbroken.messages import sentences
from unbroken.store.figures import Figures, SaveFigures
from unbroken.store.folder import CheckpointFolder
from unbroken.store.record import RunRecord, write_run_record
from unbroken.store.save import SaveJob, SaveReport
from unbroken.store.starts import Change, Starts

ENGLISH = sentences("en")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_through(tmp_path_factory.mktemp("lived"))


def section(page: Element, name: str) -> Element:
    return page.by_id(name)


def pairs(element: Element) -> dict[str, str]:
    return {
        one.all("dt")[0].all_text: one.all("dd")[0].all_text
        for one in element.everything
        if one.tag == "div" and one.all("dt")
    }


def test_every_kill_is_on_the_page_with_what_was_lost_and_proved_and_changed(
    lived: Path, unbroken: Command, here: Path
) -> None:
    said = unbroken("report", lived, "-o", "r.html")
    assert said.code == 0 and "r.html" in said.out
    page = read(here / "r.html")
    _, *rows = section(page, "restarts").all("table")[0].rows
    assert [row[0] for row in rows] == [str(n) for n in range(1, KILLS + 3)]
    ended = [row[3] for row in rows]
    assert ended == [
        ENGLISH["report_ended_begun"],
        *[ENGLISH["report_ended_broken_off"]] * KILLS,
        ENGLISH["report_ended_went_back"],
    ]
    lost = [int(row[4]) for row in rows[1:-1]]
    assert lost == [2] * KILLS
    assert [row[5] for row in rows[1:-1]] == ["2 steps, bit for bit as before"] * KILLS
    assert "environment: threads: 1 → 2" in rows[KILLS][6]
    assert [row[6] for row in rows[1:KILLS]] == ["-"] * (KILLS - 1)
    told = pairs(page.all("header")[0])
    assert told["Restarts"] == str(KILLS + 1) and told["Steps lost and trained again"] == str(sum(lost))
    saves = pairs(section(page, "saves"))
    assert saves["Failed"] == "0" and int(saves["Saves"]) > 10
    headings, *cells = section(page, "saves").all("table")[0].rows
    assert not any("(s)" in heading for heading in headings) and cells[-1][-1].endswith((" ms", " s"))
    (drawing,) = section(page, "lineage").all("svg")
    assert [one.text for one in drawing.all("text") if "branch" in one.text] == ["branch 0", "branch 1"]
    marks = json.loads(page.by_id("data").text)["marks"]
    assert [mark["stopped"] for mark in marks] == [False, False, False, True]
    assert marks[-1] == {"n": KILLS + 2, "x": 6.0, "stopped": True}


def test_restarts_of_a_branch_that_was_left_are_told_and_not_marked(lived: Path, unbroken: Command, here: Path) -> None:
    unbroken("report", lived, "-o", "r.html")
    page = read(here / "r.html")
    left = [
        row.all("th")[0].text for row in section(page, "restarts").all("tr") if row.attributes.get("class") == "left"
    ]
    marked = [str(mark["n"]) for mark in json.loads(page.by_id("data").text)["marks"]]
    assert (left, marked) == (["5", "6"], ["2", "3", "4", "7"])


def test_a_file_is_told_as_far_as_it_goes(lived: Path, unbroken: Command, here: Path) -> None:
    assert unbroken("report", lived / "checkpoint_epoch_3.pth", "-o", "r.html").code == 0
    page = read(here / "r.html")
    assert pairs(page.all("header")[0])["epoch"] == "3 / 12"
    chart = json.loads(page.by_id("data").text)["charts"][0]
    assert chart["x"] == [1, 2, 3]


def test_what_was_not_recorded_is_said_to_be_so(run: CheckpointFolder, unbroken: Command, here: Path) -> None:
    assert unbroken("report", "-o", "r.html").code == 0
    page = read(here / "r.html")
    assert ENGLISH["report_restarts_unknown"] in section(page, "restarts").all_text
    assert ENGLISH["report_saves_unknown"] in section(page, "saves").all_text
    assert pairs(page.all("header")[0])["Restarts"] == ENGLISH["report_not_recorded"]
    assert pairs(section(page, "disk"))["Forecast"] == ENGLISH["report_not_recorded"]


def test_records_of_another_run_are_not_taken_for_this_one(
    run: CheckpointFolder, unbroken: Command, here: Path
) -> None:
    write_run_record(run, RunRecord("run-b", 0, "", "", starts=Starts.none().with_another(FIRST)))
    figures = SaveFigures(run)
    figures.note(SaveJob(state(1, run="run-b"), (run.latest,)), SaveReport((run.latest,), 1, 1.0, None))
    unbroken("report", "-o", "r.html")
    page = read(here / "r.html")
    assert ENGLISH["report_restarts_unknown"] in section(page, "restarts").all_text
    assert ENGLISH["report_saves_unknown"] in section(page, "saves").all_text


def test_a_plain_file_is_told_as_well(unbroken: Command, here: Path) -> None:
    put(here / "plain.pth", plain_state(4))
    assert unbroken("report", "plain.pth", "-o", "r.html").code == 0
    assert pairs(read(here / "r.html").all("header")[0])["epoch"] == "4"


def test_a_damaged_newest_is_passed_over_and_that_is_said(run: CheckpointFolder, unbroken: Command, here: Path) -> None:
    cut(run.latest)
    run.manifest(run.latest.name).unlink()
    cut(run.previous)
    assert unbroken("report", "-o", "r.html").code == 0
    header = read(here / "r.html").all("header")[0]
    assert pairs(header)["epoch"] == "15"
    for path in run.checkpoints():
        cut(path)
    assert unbroken("report", "-o", "r.html").code == 5
    assert unbroken("report", "nothing", "-o", "r.html").code == 3


EVIL = "</script><script>alert(1)</script>"
EVILS = [
    EVIL,
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    '" onload="alert(1)',
    "\u202eevil\u2066",
    "a\x1b[2Jb",
]


def hostile() -> dict[str, Any]:
    payload = state(3, run=EVIL)
    for number, evil in enumerate(EVILS):
        payload[evil] = [1.0, 2.0, math.nan]
        payload["unbroken"].setdefault("config", {})[evil] = EVILS[number - 1]
        payload["unbroken"].setdefault("environment", {})[evil] = EVILS[number - 1]
    payload["unbroken"]["environment"][f"package {EVIL}"] = EVIL
    payload["unbroken"]["data"] = {"files": [{"name": EVIL, "size": 1, "digest": EVIL}]}
    payload["unbroken"]["finished"] = EVIL
    payload["unbroken"]["replays"] = [{"after": 1, "steps": 2, "difference": (1, tuple(EVILS))}]
    payload["timestamp"] = EVIL
    return payload


@pytest.fixture
def evil(folder: CheckpointFolder) -> CheckpointFolder:
    """A folder in which all that is text is hostile."""
    put_with_manifest(folder, folder.latest, hostile())
    put_with_manifest(folder, folder.path / "<svg onload=alert(1)>.pth", hostile())
    texts = dict.fromkeys(("at", "host", "version", "file", "saved", "ended"), EVIL)
    start = replace(FIRST, **texts, changes=tuple(Change(*EVILS[at : at + 1] * 4) for at in range(len(EVILS))))
    write_run_record(folder, RunRecord(EVIL, 0, EVIL, EVIL, starts=Starts.none().with_another(start)))
    (folder.path.parent / "audit.json").write_text(json.dumps(dict.fromkeys(AUDIT, EVIL)))
    return folder


AUDIT = ("verdict", "command", "said", "compared", "kills", "seed", "seconds", "findings", "failures", "notes")


@pytest.mark.usefixtures("evil")
def test_hostile_text_is_text(unbroken: Command, here: Path) -> None:
    said = unbroken("report", "-o", "r.html", "--audit", "audit.json")
    assert said.code == 0, said.err
    page = read(here / "r.html")
    scripts = page.all("script")
    assert [script.attributes.get("type") for script in scripts] == ["application/json", None, None]
    assert not page.all("img") and not page.all("iframe") and len(page.all("svg")) == 1
    for element in page.everything:
        named = [name for name in element.attributes if name.startswith("on") or name in ("src", "style", "action")]
        assert named == [], element.tag
        assert (element.attributes.get("href") or "#").startswith("#")
    raw = (here / "r.html").read_text(encoding="utf-8")
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x1b]", raw)
    assert (
        page.all_text.count("alert(1)") > 20 and r"\u202eevil\u2066" in page.all_text
    )  # all of it is there, to be read
    data = json.loads(page.by_id("data").text)
    assert EVIL in [series["label"] for chart in data["charts"] for series in chart["series"]]


@pytest.mark.usefixtures("evil")
def test_a_browser_is_told_to_run_the_two_scripts_and_to_load_nothing(unbroken: Command, here: Path) -> None:
    unbroken("report", "-o", "r.html")
    page = read(here / "r.html")
    (policy,) = (
        meta.attributes["content"] or ""
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    allowed = {digest(script.text) for script in page.all("script") if "type" not in script.attributes}
    assert set(rules["script-src"].split()) == allowed and len(allowed) == 2
    assert set(rules["style-src"].split()) == {digest(style.text) for style in page.all("style")}
    raw = (here / "r.html").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\s*)]+", raw) == ["https://github.com/leeoniya/uPlot"]  # who wrote it, in a comment


@pytest.mark.parametrize(("epochs", "metrics"), [(1_000, 8), (100_000, 3), (1_000, 500)])
def test_it_is_of_one_megabyte_at_most_and_says_what_is_not_shown(
    folder: CheckpointFolder, unbroken: Command, here: Path, epochs: int, metrics: int
) -> None:
    payload = state(epochs, aucs=[math.sin(n / 700) for n in range(epochs)])
    for number in range(metrics):
        payload[f"metric_{number}"] = [1 / (n + 1 + number) for n in range(epochs)]
    payload["metric_0"][epochs // 3] = 1234.5
    figures = Figures("run-a")
    for step in range(5_000):
        figures.add(step, 10**8, 0.1, 1.0, failed=False)
    put_with_manifest(folder, folder.latest, payload)
    assert unbroken("report", "-o", "r.html").code == 0
    assert (here / "r.html").stat().st_size <= 1_000_000
    page = read(here / "r.html")
    charts = json.loads(page.by_id("data").text)["charts"]
    (spiked,) = (chart for chart in charts if chart["series"][0]["label"] == "metric_0")
    assert max(spiked["y"][0]) == 1234.5 and spiked["x"][0] == 1 and spiked["x"][-1] == epochs
    told = section(page, "curves").all_text
    assert ("Thinned:" in told) == (len(charts[0]["x"]) < epochs)
    assert (ENGLISH["report_curves_left_out"] in told) == (metrics == 500)


def test_a_curve_of_a_thousand_epochs_is_whole() -> None:
    (curves,), _ = curves_of({"aucs": [float(n) for n in range(1000)]})
    assert curves.at == list(range(1, 1001)) and not curves.thinned


def test_thinning_keeps_ends_and_extremes_in_order() -> None:
    values = [math.sin(n * n) for n in range(12_345)]
    values[6_000], values[7_000], values[8_000] = 50.0, -50.0, math.nan
    kept = thinned(values, 200)
    assert len(kept) <= 200 and kept == sorted(set(kept))
    assert {0, 6_000, 7_000, 12_344} <= set(kept)
    assert thinned([math.nan] * 500, 10) == [0, 499]
    assert thinned([], 10) == []


def test_only_a_report_is_overwritten(run: CheckpointFolder, unbroken: Command, here: Path) -> None:
    (here / "mine.html").write_text("<p>mine</p>")
    said = unbroken("report", "-o", "mine.html")
    assert said.code == 2 and (here / "mine.html").read_text() == "<p>mine</p>"
    assert unbroken("report", "-o", "checkpoints").code == 2
    assert unbroken("report", "-o", run.latest).code == 2
    assert unbroken("report", "-o", "missing/r.html").code == 2
    for _ in range(2):
        assert unbroken("report", "-o", "r.html").code == 0


@pytest.mark.usefixtures("run")
def test_an_audit_is_shown_and_nothing_else_is_taken_for_one(unbroken: Command, here: Path) -> None:
    audit = {**dict.fromkeys(AUDIT, None), "verdict": "exact", "said": ["EXACT. Killed 3 times"], "kills": 3}
    (here / "audit.json").write_text(json.dumps(audit))
    assert unbroken("report", "--audit", "audit.json", "-o", "r.html").code == 0
    assert pairs(section(read(here / "r.html"), "audit"))["said"] == "EXACT. Killed 3 times"
    for content in ("{}", "[]", "no JSON", "[" * 100_000):
        (here / "audit.json").write_text(content)
        assert unbroken("report", "--audit", "audit.json", "-o", "r.html").code == 2
    assert unbroken("report", "--audit", "missing.json", "-o", "r.html").code == 2


@pytest.mark.usefixtures("run")
def test_in_chinese_nothing_is_left_in_english(unbroken: Command, here: Path) -> None:
    assert unbroken("report", "-o", "r.html", "--lang", "zh").code == 0
    page = read(here / "r.html")
    assert page.all("html")[0].attributes["lang"] == "zh"
    headings = [one.all_text for one in page.everything if one.tag in ("h1", "h2", "h3", "th", "dt", "summary")]
    assert len(headings) > 30
    names = {*state(1), "1", "-"}
    english = [one for one in headings if re.fullmatch(r"[A-Za-z ,.()]+", one) and one not in names]
    assert english == []
    shown = [one.all_text for one in page.everything if one.tag in ("td", "dd", "figcaption", "p")]
    assert [one for one in shown if re.search(r"[\u4e00-\u9fff）][,;:]", one)] == []


def test_the_wheel_has_what_the_page_is_made_of() -> None:
    from importlib import resources

    assets = resources.files("unbroken.cli.reports") / "assets"
    names = {item.name for item in assets.iterdir()}
    assert names == {"page.html", "page.css", "page.js", "uplot.js", "uplot.css", "uplot.LICENSE"}
    assert "Leon Sorokin" in (assets / "uplot.LICENSE").read_text()

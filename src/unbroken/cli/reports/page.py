"""Page: a story as one HTML page by the template ``assets/page.html``: no network, no scripts but its own.

All that comes from a checkpoint is text: escaped where it stands in the page, spelled out where it would not be seen
as it is, and behind a policy by which a browser runs no script but the two whose digests are named.
"""

import base64
import hashlib
import json
import math
from datetime import datetime
from importlib import resources
from itertools import accumulate
from typing import Any

from unbroken import contract
from unbroken.cli.reports import tables
from unbroken.cli.reports.curves import Curves, curves_of
from unbroken.cli.reports.picture import lineage
from unbroken.cli.reports.story import Story
from unbroken.cli.reports.tables import Pairs
from unbroken.cli.reports.words import CHARTS, words
from unbroken.messages import language, listed, printable, text
from unbroken.version import __version__

MARK = b'<meta name="generator" content="unbroken report">'
"""Stands at the beginning of every page: by it one is known that may be made again."""

_PACKAGE = "package "
_ASSETS = resources.files("unbroken.cli.reports") / "assets"


def render(story: Story, audit: Pairs | None) -> str:
    """The whole page."""
    from jinja2 import Environment, select_autoescape
    from markupsafe import Markup

    def seen(value: object) -> object:
        return value if isinstance(value, Markup) else printable(str(value))

    environment = Environment(
        autoescape=select_autoescape(default=True, default_for_string=True), finalize=seen, trim_blocks=True
    )
    template = environment.from_string(_asset("page.html"))
    scripts, styles = [_asset("uplot.js"), _asset("page.js")], [_asset("uplot.css"), _asset("page.css")]
    context = _context(story, audit)
    return template.render(
        **context,
        w=words(),
        lang=language(),
        policy=_policy(scripts, styles),
        scripts=[Markup(script) for script in scripts],  # our own files, not anybody's text
        styles=[Markup(style) for style in styles],
        licence=_asset("uplot.LICENSE"),
        data=Markup(_as_data(context["charts"], context["marks"])),
    )


def _context(story: Story, audit: Pairs | None) -> dict[str, Any]:
    told_by = story.told_by
    drawn, left_out = curves_of(told_by.histories)
    picture = lineage(story.entries, story.archived, told_by.info.progress.run_id, told_by.info)
    checkpoints, more = tables.checkpoint_rows(story.entries + story.archived)
    surroundings = tables.mapping_pairs(
        {key: value for key, value in told_by.environment.items() if not str(key).startswith(_PACKAGE)}
    )
    packages = [
        (key.removeprefix(_PACKAGE), value)
        for key, value in tables.mapping_pairs(told_by.environment)
        if key.startswith(_PACKAGE)
    ]
    figures = story.figures
    return {
        "folder": str(story.folder.path),
        "run_id": told_by.info.progress.run_id,
        "file": told_by.path.name,
        "written": datetime.now().strftime(contract.TIMESTAMP_FORMAT),
        "version": __version__,
        "passed_over": story.passed_over,
        "summary": tables.summary(story),
        "curves": [_curve(at, curves) for at, curves in enumerate(drawn)],
        "curves_left_out": ", ".join(left_out[:50]),
        "restarts": list(tables.restart_rows(story)),
        "restarts_count": story.starts.count if story.starts is not None else None,
        "earlier_unknown": story.earlier_unknown,
        "loose_proofs": [
            (text("cli_replay_after", after=proof.after), tables.proof_text(proof)) for proof in story.loose_proofs
        ],
        "lineage": _svg(picture.svg),
        "lineage_left_out": picture.left_out,
        "checkpoints": checkpoints,
        "checkpoints_more": more,
        "saves": None if figures is None else tables.save_pairs(figures),
        "save_rows": [] if figures is None else tables.save_rows(figures),
        "saves_chart": len(drawn),
        "saves_title": listed([text("report_column_stalled"), text("report_column_seconds")]),
        "disk": tables.disk_pairs(story),
        "config": tables.mapping_pairs(told_by.config),
        "environment": surroundings,
        "packages": packages,
        "data_files": tables.mapping_pairs(told_by.data),
        "audit": audit,
        "charts": [*map(_chart, drawn), *_save_charts(story)],
        "marks": tables.marks(story),
    }


def _svg(svg: str) -> object:
    from markupsafe import Markup

    return Markup(svg)  # made by a writer of XML, which escapes all text


def _curve(at: int, curves: Curves) -> dict[str, Any]:
    return {
        "at": at,
        "title": listed(curves.names),
        "names": curves.names,
        "rows": tables.curve_rows(curves),
        "thinned": text("report_thinned", shown=len(curves.at), epochs=curves.epochs) if curves.thinned else "",
        "gaps": text("report_gaps", count=curves.gaps) if curves.gaps else "",
    }


def _chart(curves: Curves) -> dict[str, Any]:
    series = [{"label": printable(name)} for name in curves.names]
    values = [[float(f"{one:.6g}") if math.isfinite(one) else None for one in column] for column in curves.values]
    return {"x": curves.at, "y": values, "series": series, "marked": True}


def _save_charts(story: Story) -> list[dict[str, Any]]:
    if story.figures is None or not story.figures.points:
        return []
    points = story.figures.points
    numbers = list(accumulate(point.saves for point in points))
    spans = [[point.stalled for point in points], [point.seconds for point in points]]
    named = [{"label": text("report_column_stalled")}, {"label": text("report_column_seconds")}]
    sizes = [[point.size / 1e6 for point in points]]
    return [
        {"x": numbers, "y": spans, "series": named, "marked": False},
        {"x": numbers, "y": sizes, "series": [{"label": text("report_column_megabytes")}], "marked": False},
    ]


def _as_data(charts: object, marks: object) -> str:
    """What the script draws, as JSON in which nothing can end the element that holds it."""
    said = {name: text(key) for name, key in CHARTS.items()}
    data = json.dumps({"charts": charts, "marks": marks, "words": said}, allow_nan=False, separators=(",", ":"))
    return data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _policy(scripts: list[str], styles: list[str]) -> str:
    """What a browser may do with the page: its own scripts and styles, known by digest, and nothing else at all."""

    def digests(contents: list[str]) -> str:
        found = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in contents)
        return " ".join(f"'sha256-{digest}'" for digest in found)

    return f"default-src 'none'; script-src {digests(scripts)}; style-src {digests(styles)}; base-uri 'none'"

"""``unbroken diff``: what differs between two checkpoints, tensor by tensor, bit for bit."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unbroken.cli.checkpoints import batch_text, best_text, epoch_text
from unbroken.cli.contents import Contents, open_contents, shape_text
from unbroken.cli.nothing import existing_file
from unbroken.cli.output import Column, Row, print_json, print_table, say, shortened, working_on
from unbroken.messages import text
from unbroken.store import torchfile

if TYPE_CHECKING:
    from unbroken.state.guards import Change


_SHOWN = 20


@dataclass(frozen=True)
class MetricSides:
    """One metric of both sides; ``first_difference`` is the first epoch whose values differ, of those both have."""

    a: Sequence[float]
    b: Sequence[float]

    @property
    def first_difference(self) -> int | None:
        pairs = zip(self.a, self.b, strict=False)
        return next((epoch for epoch, (x, y) in enumerate(pairs, 1) if repr(float(x)) != repr(float(y))), None)

    @property
    def equal(self) -> bool:
        return self.first_difference is None and len(self.a) == len(self.b)


@dataclass(frozen=True)
class Tensors:
    """Which tensors are bit for bit the same; ``read`` says whether files had to be read to know."""

    equal: int
    differing: list[str]
    only_a: list[str]
    only_b: list[str]
    read: bool

    @property
    def identical(self) -> bool:
        return not (self.differing or self.only_a or self.only_b)


@dataclass(frozen=True)
class Difference:
    """All that differs between two checkpoints."""

    histories: dict[str, MetricSides]
    config: "list[Change]"
    environment: "list[Change]"
    data: "list[Change]"
    state: "list[Change]"
    tensors: Tensors

    @property
    def identical(self) -> bool:
        """Whether a resume from either would go on the same way, on the same data with the same program."""
        return self.tensors.identical and not self.state and all(history.equal for history in self.histories.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", type=Path, help=text("cli_help_file"))
    parser.add_argument("b", metavar="B", type=Path, help=text("cli_help_file"))


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError, CheckpointDamagedError, UsageError (a folder)."""
    a, b = (open_contents(existing_file(path)) for path in (arguments.a, arguments.b))
    found = compare(a, b)
    if arguments.json:
        print_json(_as_json(a, b, found))
    else:
        _print(a, b, found)
    return 0


def compare(a: Contents, b: Contents) -> Difference:
    """What differs; tensors by the digests recorded when they were saved, or, where there are none, by reading."""
    from unbroken.state.guards import differences

    names = [*a.histories, *(name for name in b.histories if name not in a.histories)]
    histories = {name: MetricSides(a.histories.get(name, []), b.histories.get(name, [])) for name in names}
    return Difference(
        histories={name: both for name, both in histories.items() if both.a or both.b},
        config=differences(a.config, b.config),
        environment=differences(a.environment, b.environment),
        data=differences(a.data, b.data),
        state=differences(_by_index(a.state), _by_index(b.state)),
        tensors=_compare_tensors(a, b),
    )


def _compare_tensors(a: Contents, b: Contents) -> Tensors:
    in_a, in_b = _digests(a), _digests(b)
    both = [path for path in in_a if path in in_b]
    differing = [path for path in both if in_a[path] != in_b[path]]
    return Tensors(
        equal=len(both) - len(differing),
        differing=differing,
        only_a=[path for path in in_a if path not in in_b],
        only_b=[path for path in in_b if path not in in_a],
        read=not (a.info.tensors and b.info.tensors),
    )


def _digests(side: Contents) -> Mapping[str, str]:
    if side.info.tensors or not side.tensors:
        return side.info.tensors
    from unbroken.store.tensors import tensor_digests

    with working_on(side.path):
        return tensor_digests(torchfile.read(side.path, side.info.digest))


def _by_index(value: Any) -> Any:
    """``value`` with lists of containers as mappings, so that a difference is named, not the list it is in."""
    if isinstance(value, Mapping):
        return {key: _by_index(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        return {str(index): _by_index(item) for index, item in enumerate(value)}
    return value


def _as_json(a: Contents, b: Contents, found: Difference) -> dict[str, object]:
    from unbroken.state.guards import ABSENT

    def changes(of: "list[Change]") -> dict[str, object]:
        sides = {change.key: {"a": change.old, "b": change.new} for change in of}
        return {key: {side: at[side] for side in at if at[side] is not ABSENT} for key, at in sides.items()}

    def stub(side: Contents, path: str) -> str | None:
        return shape_text(side.tensors[path]) if path in side.tensors else None

    return {
        "a": str(a.path),
        "b": str(b.path),
        "identical": found.identical,
        "metrics": {
            name: {
                "a": both.a[-1] if both.a else None,
                "b": both.b[-1] if both.b else None,
                "first_difference": both.first_difference,
                "equal": both.equal,
            }
            for name, both in found.histories.items()
        },
        "config": changes(found.config),
        "environment": changes(found.environment),
        "data": changes(found.data),
        "state": changes(found.state),
        "tensors": {
            "compared_by": "reading" if found.tensors.read else "manifests",
            "equal": found.tensors.equal,
            "differing": {path: {"a": stub(a, path), "b": stub(b, path)} for path in found.tensors.differing},
            "only_a": found.tensors.only_a,
            "only_b": found.tensors.only_b,
        },
    }


def _print(a: Contents, b: Contents, found: Difference) -> None:
    rows = [Row([title, said_a, said_b]) for title, said_a, said_b in _sides(a, b)]
    print_table([Column(""), Column("A"), Column("B")], rows)
    if found.histories:
        say()
        titles = text("cli_column_metric"), "A", "B", text("cli_column_first_difference")
        columns = [Column(title, right=place > 0) for place, title in enumerate(titles)]
        print_table(columns, _metric_rows(found.histories))
    for title, changes in (
        ("cli_config", found.config),
        ("cli_environment", found.environment),
        ("cli_data", found.data),
        ("cli_state", found.state),
    ):
        _print_changes(text(title), changes)
    _print_tensors(a, b, found.tensors)
    say()
    say(text("cli_diff_identical" if found.identical else "cli_diff_differ"))


def _sides(a: Contents, b: Contents) -> list[tuple[str, str, str]]:
    def cells(side: Contents) -> list[str]:
        progress = side.info.progress
        return [
            str(side.path),
            (progress.run_id or text("cli_plain_file"))[:8],
            str(progress.branch),
            epoch_text(progress),
            batch_text(progress),
            str(progress.step),
            side.info.timestamp,
            best_text(side.info),
        ]

    titles = (
        *("cli_column_file", "cli_column_run", "cli_column_branch", "cli_column_epoch"),
        *("cli_column_batch", "cli_column_step", "cli_column_saved", "cli_column_best"),
    )
    return [(text(title), x, y) for title, x, y in zip(titles, cells(a), cells(b), strict=True)]


def _metric_rows(histories: Mapping[str, MetricSides]) -> list[Row]:
    rows = []
    for name, both in histories.items():
        last = [f"{values[-1]:.6g} ({len(values)})" if values else "-" for values in (both.a, both.b)]
        epoch = both.first_difference
        if epoch is not None:
            said = text("cli_from_epoch", epoch=epoch)
        else:
            said = "-" if both.equal else text("cli_same_so_far")
        rows.append(Row([name, *last, said]))
    return rows


def _print_changes(title: str, changes: "list[Change]") -> None:
    if not changes:
        return
    say()
    say(title)
    for change in changes[:_SHOWN]:
        say(f"  {shortened(change, 200)}")
    _print_rest(len(changes))


def _print_tensors(a: Contents, b: Contents, tensors: Tensors) -> None:
    say()
    counts = {"equal": tensors.equal, "differing": len(tensors.differing)}
    counts |= {"only_a": len(tensors.only_a), "only_b": len(tensors.only_b)}
    say(text("cli_tensors_read" if tensors.read else "cli_tensors_recorded", **counts))
    lines = []
    for path in tensors.differing:
        old, new = shape_text(a.tensors[path]), shape_text(b.tensors[path])
        lines.append(f"  {path}: {old}" + (f" → {new}" if new != old else ""))
    lines += [f"  A: {path}: {shape_text(a.tensors[path])}" for path in tensors.only_a]
    lines += [f"  B: {path}: {shape_text(b.tensors[path])}" for path in tensors.only_b]
    for line in lines[:_SHOWN]:
        say(line)
    _print_rest(len(lines))


def _print_rest(count: int) -> None:
    if count > _SHOWN:
        say(text("cli_more", count=count - _SHOWN))

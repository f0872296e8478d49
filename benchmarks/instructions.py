"""``python -m benchmarks.instructions [--record]``: instructions of what every step pays, against those recorded.

More than a tenth above what ``instructions.json`` has fails. It holds for the versions it names; with others, the
commit before this one is counted as well, in the same run, and compared with.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks import callgrind

MOST = 1.10
HERE = Path(__file__).resolve().parent
RECORDED = HERE / "instructions.json"

Counts = dict[str, int]


def versions() -> dict[str, str]:
    """What instructions depend on, beside our own code."""
    python = ".".join(map(str, sys.version_info[:2]))
    packages = {name: version(name).partition("+")[0] for name in ("torch", "numpy", "xxhash", "isal")}
    return {"machine": platform.machine(), "python": python, **packages}


def grown(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """A line for each that takes more than a tenth more than before, or was not counted before."""
    lines = []
    for name, count in now.items():
        if name not in before:
            lines.append(f"{name}: {count:,} instructions, and none recorded")
        elif count > MOST * before[name]:
            lines.append(f"{name}: {count:,} instructions, {count / before[name] - 1:.0%} above {before[name]:,}")
    return lines


def recorded(text: str, of: Mapping[str, str]) -> Counts | None:
    """The figures that hold for these versions."""
    found = [record["instructions"] for record in json.loads(text) if record["versions"] == of]
    return found[0] if found else None


def with_record(text: str, of: Mapping[str, str], counts: Counts) -> str:
    others = [record for record in json.loads(text) if record["versions"] != of]
    return json.dumps([*others, {"versions": dict(of), "instructions": counts}], indent=1) + "\n"


def counted(sources: Path) -> Counts:
    found: Counts = json.loads(callgrind.run("benchmarks.counted", sources, HERE.parent).splitlines()[-1])
    return found


def of_the_commit_before() -> Counts:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=HERE.parent, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    base = git("merge-base", "HEAD~1", "main") if git("branch", "--list", "main") else git("rev-parse", "HEAD~1")
    with tempfile.TemporaryDirectory() as folder:
        git("worktree", "add", "--detach", f"{folder}/base", base)
        try:
            return counted(Path(folder, "base", "src"))
        finally:
            git("worktree", "remove", "--force", f"{folder}/base")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep the figures of this run for these versions")
    options = parser.parse_args()
    if missing := callgrind.missing():
        print(f"Nothing was counted: {' and '.join(missing)} not found (apt-get install valgrind gcc).")
        return 1
    of, now = versions(), counted(HERE.parent / "src")
    print("\n".join(f"{count:>12,}  {name}" for name, count in now.items()))
    if options.record:
        RECORDED.write_text(with_record(RECORDED.read_text(), of, now))
        return 0
    before = recorded(RECORDED.read_text(), of)
    if before is None:
        print(f"No figures are recorded for {of}: compared with the commit before, counted now.")
        before = of_the_commit_before()
    if lines := grown(before, now):
        print("\n".join(["More than a tenth above:", *lines, "Mend it, or record it with --record and say why."]))
        return 1
    print("None is more than a tenth above.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes golden folders: `python -m tests.golden.write [NAME …]`, with the version they are to be of on `PYTHONPATH`.

One that is there already is never written again. Each ending is held against a run that was left alone first.
"""

import csv
import gzip
import json
import shutil
import sys
import tempfile
from pathlib import Path

import unbroken
from tests.golden import folders
from tests.golden.folders import GOLDEN, HERE, ROOT, TRAINING, TRAINING_FLAGS, Golden, parted
from tests.kill.toolkit import Interruption, Moment, Nursery, Program


def main(names: list[str]) -> None:
    print("written by", Path(unbroken.__file__).parent)
    with Nursery() as nursery, tempfile.TemporaryDirectory() as place:
        for name in names or GOLDEN:
            if not folders.archive(name).exists():
                write(nursery, name, Path(place, folders.slug(name)))


def write(nursery: Nursery, name: str, place: Path) -> None:
    """Make the folder, go on with a copy of it in every way it is to be gone on with, and put both away."""
    golden = GOLDEN[name]
    left = _made(golden, place / "left")
    for words in golden.starts:
        _start(nursery, golden, words, left)
    endings = {}
    for ending, words in golden.endings.items():
        folder = place / f"end-{len(endings)}"
        shutil.copytree(left, folder)
        endings[ending] = folders.go_on(nursery, golden, folder, words).to_json()
    if golden.kind != TRAINING:
        _compare(nursery, golden, place, endings)
    folders.pack(name, left)
    text = json.dumps({"machine": folders.machine(), "endings": endings}, indent=0, ensure_ascii=False)
    (HERE / f"{folders.slug(name)}.json").write_text(text + "\n")
    print(name, folders.archive(name).stat().st_size, len(text), flush=True)


def _made(golden: Golden, folder: Path) -> Path:
    folder.mkdir(parents=True)
    if golden.kind == TRAINING:
        with gzip.open(ROOT / "src" / "forecaster" / "data" / "stocks.csv.gz", "rt", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        chosen = [row for row in rows if row[0] in ("AAPL", "IBM") and "2009-10" <= row[1] <= "2010-06-30"]
        (folder / "prices.csv").write_text("".join(",".join(row) + "\n" for row in [header, *chosen]))
    else:
        (folder / "data.txt").write_text("fixed\n")
    return folder


def _start(nursery: Nursery, golden: Golden, words: tuple[str, ...], folder: Path) -> None:
    if golden.kind == TRAINING:
        kill = Interruption(Moment("a save", "rename checkpoints/checkpoint_latest.pth", 4, delay=0.02))
        attempt = nursery.attempt(Program(ROOT / "Training.py", TRAINING_FLAGS), folder, kill)
    else:
        attempt = nursery.attempt(folders.program_of(golden, words), folder)
    nursery.clear()
    for path in folder.rglob("*.tmp"):
        print("left while being written:", path)
    print(f"  {' '.join(words)}: exit code {attempt.code}, last {attempt.last_line()}", flush=True)
    shutil.rmtree(folder.parent / f"{folder.name}-attempts")
    (folder / "ended.json").unlink(missing_ok=True)


def _compare(nursery: Nursery, golden: Golden, place: Path, endings: dict[str, dict[str, dict[str, str]]]) -> None:
    """Each run ended as one that was left alone, but for its identity and the names it left."""
    alone = folders.go_on(nursery, golden, _made(golden, place / "alone"), ())
    for ending, found in endings.items():
        for part, expected in (("exact", alone.exact), ("computed", alone.computed)):
            ours = [name for name in expected if name in found[part] and not name.startswith(("begun", "ended.files"))]
            wrong = parted(found[part], {name: expected[name] for name in ours})
            assert wrong == [], f"{ending}: {wrong[:5]}"


if __name__ == "__main__":
    main(sys.argv[1:])

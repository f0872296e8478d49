"""The golden folders: how each came about, how it is packed, and where a resume ends apart from what is on record."""

import json
import os
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.kill.toolkit import Difference, Digest, Nursery, Program, differences
from tests.kill.toolkit.digests import digest
from tests.kill.toolkit.processes import ROOT
from unbroken.contract import KEYS, TIMESTAMP

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs.py"
TRAINING = "training program"

Words = tuple[str, ...]
AUTO: Mapping[str, Words] = {"newest": ()}


@dataclass(frozen=True)
class Golden:
    """``kind`` of program, the ``starts`` that made the folder, each with its words, and its ``endings``: the words
    with which it is gone on with, by name."""

    kind: str
    starts: tuple[Words, ...]
    endings: Mapping[str, Words] = field(default_factory=lambda: AUTO)


def _from(path: str) -> Words:
    return ("--resume", f"checkpoints/{path}")


_LEFT_BEHIND = _from("archive/*/checkpoint_latest.pth")
_INSIDE: tuple[Words, ...] = (("--at", "step 27"),)

GOLDEN: dict[str, Golden] = {
    "inside an epoch": Golden("plain", _INSIDE),
    "at an epoch's end": Golden("plain", (("--at", "epoch 3"),)),
    "first epoch": Golden("plain", (("--at", "step 7"),)),
    "stopped": Golden("plain", (("--at", "step 27", "--signal", "TERM"),)),
    "stopped in validation": Golden("several passes", (("--at", "validation 3", "--signal", "TERM"),)),
    "killed, resumed, killed": Golden("plain", (*_INSIDE, ("--at", "step 31"))),
    "finished": Golden("plain", ((),), {**AUTO, "from epoch 2": _from("checkpoint_epoch_2.pth")}),
    "branch": Golden(
        "plain",
        ((), (*_from("checkpoint_epoch_2.pth"), "--at", "step 31")),
        {**AUTO, "what the branch left behind": _from("archive/*/checkpoint_epoch_4.pth")},
    ),
    "archive": Golden(
        "plain",
        (("--at", "step 27"), ("--resume", "never", "--at", "step 17")),
        {**AUTO, "the former run": _LEFT_BEHIND},
    ),
    "accumulating": Golden("accumulating", _INSIDE),
    "side by side": Golden("side by side", _INSIDE),
    "several passes": Golden("several passes", (("--at", "validation 2"),)),
    "workers": Golden("workers", _INSIDE),
    "persistent workers, steps": Golden("persistent workers", _INSIDE),
    "steps": Golden("steps", _INSIDE),
    "iterable": Golden("iterable", _INSIDE),
    "own generators": Golden("own generators", _INSIDE),
    "weighted": Golden("weighted", _INSIDE),
    "counting": Golden("counting", _INSIDE),
    "drawn tensors": Golden("drawn tensors", _INSIDE),
    "subclass": Golden("subclass", _INSIDE),
    "values": Golden("values", (("--at", "step 27"),)),
    "floats": Golden("floats", _INSIDE),
    TRAINING: Golden(TRAINING, ((),)),
}

TRAINING_FLAGS = (
    "--data=prices.csv",
    "--epochs=4",
    "--batch-size=16",
    "--checkpoint-freq=9",
    "--checkpoint-every-steps=3",
)


@dataclass(frozen=True)
class Ended:
    """What a run ended with: ``exact`` on every machine, ``computed`` by kernels that differ from one to another."""

    exact: Digest
    computed: Digest

    def to_json(self) -> dict[str, Digest]:
        return {"exact": self.exact, "computed": self.computed}


def program_of(golden: Golden, words: Words = ()) -> Program:
    """The program that goes on with this folder."""
    if golden.kind == TRAINING:
        return Program(ROOT / "resume_training.py", words)
    return Program(PROGRAMS, (golden.kind, *words))


def go_on(nursery: Nursery, golden: Golden, folder: Path, words: Words) -> Ended:
    """Run it to its end in ``folder``, which must work, and tell what it ended with."""
    attempt = nursery.attempt(program_of(golden, words), folder)
    nursery.clear()
    assert attempt.code == 0, attempt.log
    return _of_training(folder) if golden.kind == TRAINING else read_ended(folder)


def read_ended(folder: Path) -> Ended:
    """What one of ``programs.py`` wrote at its end."""
    return Ended(**json.loads((folder / "ended.json").read_text()))


def _of_training(folder: Path) -> Ended:
    payload = torch.load(folder / "checkpoints" / "checkpoint_latest.pth", weights_only=True)
    own = payload["unbroken"]
    results = json.loads((folder / "results.json").read_text())
    # The program records more by now: what was promised is what it recorded then.
    contract = {name: payload[name] for name in KEYS if name != TIMESTAMP}
    place = [payload["epoch"], own["batch"], own["step"], own["seed"], own["branch"], own["run_id"]]
    lengths = {name: len(value) for name, value in contract.items() if isinstance(value, list)}
    exact = {"place": place, "lengths": lengths, "windows": results["windows"]}
    del results["parameters"]
    return Ended(digest(exact, ""), digest({**contract, "streams": own["streams"]["now"], "results": results}, ""))


def machine() -> dict[str, str]:
    """What the last bits of a floating point computation may depend on."""
    with Path("/proc/cpuinfo").open() as file:
        models = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    return {
        "torch": torch.__version__.partition("+")[0],
        "numpy": np.__version__,
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "processor": f"{platform.machine()} {' '.join(sorted(models))}".strip(),
    }


def parted(got: Digest, recorded: Digest) -> list[Difference]:
    """Where ``got`` parts from the record. What a later version adds to a record of its own is no difference."""
    return [difference for difference in differences(got, recorded) if difference.expected is not None]


def record(name: str) -> dict[str, Any]:
    """``machine`` and, under ``endings``, what 0.1.0 ended with."""
    content: dict[str, Any] = json.loads((HERE / f"{slug(name)}.json").read_text())
    return content


def archive(name: str) -> Path:
    return HERE / f"{slug(name)}.tar.xz"


def slug(name: str) -> str:
    return name.replace(",", "").replace("'", "").replace(" ", "-")


def pack(name: str, folder: Path) -> None:
    """Put ``folder`` away, its times to the nanosecond: a manifest counts only for a file of the time that it names."""
    with tarfile.open(archive(name), "x:xz", format=tarfile.PAX_FORMAT, preset=9) as packed:
        for path in sorted(folder.rglob("*")):
            member = packed.gettarinfo(path, str(path.relative_to(folder)))
            seconds, rest = divmod(path.stat().st_mtime_ns, 10**9)
            member.pax_headers = {"mtime": f"{seconds}.{rest:09}"}
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            if member.isreg():
                with path.open("rb") as file:
                    packed.addfile(member, file)
            else:
                packed.addfile(member)


def unpack(name: str, folder: Path) -> Path:
    """The golden folder as it was left, with its times."""
    with tarfile.open(archive(name)) as packed:
        packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has none
        packed.extractall(folder)
        for member in reversed(packed.getmembers()):
            seconds, _, rest = member.pax_headers["mtime"].partition(".")
            time = int(seconds) * 10**9 + int(rest)
            os.utime(folder / member.name, ns=(time, time))
    return folder

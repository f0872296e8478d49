"""Contents: what a checkpoint holds, without torch; which fields of our own key count as training state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store import torchfile
from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.stubs import TensorStub
from unbroken.store.trees import leaves

_STANDS_ELSEWHERE = frozenset(
    {"format", "run_id", "branch", "parent", "reason", "epoch", "batch", "batches", "step", "finished"}
    | {"library_version", "replays", "witnessed", "config", "environment", "data", "architecture"}
)


@dataclass(frozen=True)
class Replayed:
    """``step`` is the first that differed, in ``streams``; None and empty where all were the same."""

    after: int
    steps: int
    step: int | None = None
    streams: tuple[str, ...] = ()
    start: int | None = field(default=None, compare=False)
    """The ``generation`` of the process that trained them again; None where that was not kept."""


@dataclass(frozen=True)
class Contents:
    """One checkpoint file, opened as far as that needs no torch."""

    path: Path
    info: Manifest
    payload: Mapping[str, Any] = field(repr=False)

    @property
    def config(self) -> Mapping[str, Any]:
        return self._section("config")

    @property
    def environment(self) -> Mapping[str, Any]:
        return self._section("environment")

    @property
    def data(self) -> Mapping[str, Any]:
        """Digest of each data file by its name; empty where the run did not name its data."""
        files = self._section("data").get("files")
        entries = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
        return {str(file.get("name")): file.get("digest") for file in entries}

    @property
    def histories(self) -> dict[str, list[float]]:
        return keys.histories_of(self.payload)

    @property
    def own(self) -> Mapping[str, Any]:
        return keys.own_of(self.payload)

    @property
    def replays(self) -> list[Replayed]:
        """The last resumes of the run: how many steps were trained again, and the first that was not the same."""
        records = self.own.get("replays")
        found = [_replayed(record) for record in records] if isinstance(records, list) else []
        return [replay for replay in found if replay is not None]

    @property
    def state(self) -> dict[str, Any]:
        """All that a resume restores beside tensors and histories: numbers and text of the tracked states, streams."""
        rest = {key: value for key, value in self.own.items() if key not in _STANDS_ELSEWHERE}
        return {**{keys.state_key(name): state for name, state in keys.states_of(self.payload).items()}, **rest}

    @cached_property
    def tensors(self) -> dict[str, TensorStub]:
        """Every tensor by its path, as ``Manifest.tensors`` spells it."""
        return {path: value for path, value in leaves(self.payload) if isinstance(value, TensorStub)}

    def _section(self, name: str) -> Mapping[str, Any]:
        section = self.own.get(name)
        return section if isinstance(section, dict) else {}


def open_contents(path: Path) -> Contents:
    """Raises CheckpointDamagedError for what is no checkpoint; tensors' bytes are not looked at."""
    payload = torchfile.read_metadata(path)
    keys.check_contract(payload, path)
    info = manifests.describe(CheckpointFolder(path.parent), path)
    return Contents(path, info, payload)


def shape_text(stub: TensorStub) -> str:
    """``float32[64, 3]``."""
    return f"{stub.dtype}{list(stub.shape)}"


def numbers_in(stubs: Mapping[str, TensorStub]) -> int:
    """How many numbers these tensors hold together."""
    return sum(prod(stub.shape) for stub in stubs.values())


def _replayed(record: object) -> Replayed | None:
    """None for what no version of this library writes: the file need not be ours."""
    start = record.get("start") if isinstance(record, dict) else None
    start = start if type(start) is int else None
    match record:
        case {"after": int(after), "steps": int(steps), "difference": None}:
            return Replayed(after, steps, start=start)
        case {"after": int(after), "steps": int(steps), "difference": [int(step), [*streams]]}:
            return Replayed(after, steps, step, tuple(map(str, streams)), start)
        case _:
            return None

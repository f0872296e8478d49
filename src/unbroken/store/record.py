"""The run record (``run.json``): which run a folder holds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import read_text, write_text
from unbroken.store.starts import Starts, starts_of


@dataclass(frozen=True)
class RunRecord:
    """What ``run.json`` says: which run the folder holds, so that stray files of others are never taken for it.

    ``generation`` counts the trainers that have begun in the folder: what an earlier one still writes is refused.
    ``starts`` tell people of each of them that trained this run; None where a version that kept none has written it.
    """

    run_id: str
    branch: int
    created: str
    command: str
    config: Mapping[str, Any] = field(default_factory=dict)
    generation: int = 0
    starts: Starts | None = None


def read_run_record(folder: CheckpointFolder) -> RunRecord | None:
    """The record in ``run.json``; None if there is none, or none that makes sense (the files then tell)."""
    try:
        found = json.loads(read_text(folder.run_json))
        more = found.get("config", {}), found.get("generation", 0), starts_of(found.get("starts"))
        record = RunRecord(found["run_id"], found["branch"], found["created"], found["command"], *more)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    texts = (record.run_id, record.created, record.command)
    numbers = (record.branch, record.generation)
    sane = all(type(text) is str for text in texts) and all(type(number) is int for number in numbers)
    return record if sane and isinstance(record.config, dict) and record.run_id else None


def next_generation(folder: CheckpointFolder) -> int:
    """That of a trainer that begins now."""
    before = read_run_record(folder)
    return 1 if before is None else before.generation + 1


def write_run_record(folder: CheckpointFolder, record: RunRecord) -> None:
    """Write ``run.json``, durably."""
    fields = {**asdict(record), "starts": None if record.starts is None else record.starts.as_json()}
    text = json.dumps(fields, ensure_ascii=False, indent=1, default=str) + "\n"
    write_text(folder.run_json, text)

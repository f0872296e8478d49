"""The run record (``run.json``): which run a folder holds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import read_text, write_text


@dataclass(frozen=True)
class RunRecord:
    """What ``run.json`` says: which run the folder holds, so that stray files of others are never taken for it."""

    run_id: str
    branch: int
    created: str
    command: str
    config: Mapping[str, Any] = field(default_factory=dict)


def read_run_record(folder: CheckpointFolder) -> RunRecord | None:
    """The record in ``run.json``; None if there is none, or none that makes sense (the files then tell)."""
    try:
        found = json.loads(read_text(folder.run_json))
        config = found.get("config", {})
        record = RunRecord(found["run_id"], found["branch"], found["created"], found["command"], config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    texts = (record.run_id, record.created, record.command)
    sane = all(type(text) is str for text in texts) and type(record.branch) is int and isinstance(config, dict)
    return record if sane and record.run_id else None


def write_run_record(folder: CheckpointFolder, record: RunRecord) -> None:
    """Write ``run.json``, durably."""
    text = json.dumps(asdict(record), ensure_ascii=False, indent=1, default=str) + "\n"
    write_text(folder.run_json, text)

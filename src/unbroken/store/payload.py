"""The payload: the one owner of a checkpoint's keys, of their types, and of what they say about progress."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from unbroken.contract import BEST_CORR as BEST_CORR
from unbroken.contract import BEST_EPOCH as BEST_EPOCH
from unbroken.contract import EPOCH as EPOCH
from unbroken.contract import HISTORIES, KEYS, STATES
from unbroken.contract import TIMESTAMP as TIMESTAMP
from unbroken.errors import CheckpointDamagedError, UsageError
from unbroken.store import schema
from unbroken.store.trees import is_curve

FORMAT_VERSION = 1

OWN = "unbroken"

RESERVED = frozenset({EPOCH, *STATES, BEST_CORR, BEST_EPOCH, TIMESTAMP, OWN})
"""Top-level names no metric may have; ``is_reserved`` also keeps the names of tracked states free."""

_STATE_SUFFIX = "_state_dict"

Payload = dict[str, Any]


@dataclass(frozen=True)
class ForkPoint:
    """The state a branch was started from."""

    run_id: str | None
    branch: int
    epoch: int
    batch: int
    step: int

    @property
    def position(self) -> tuple[int, int, int]:
        return (self.epoch, self.batch, self.step)


class Progress(NamedTuple):
    """Where training stood: ``epoch`` completed epochs and ``batch`` batches of the next one.

    A plain file, written without this library, has no run id and says only its epoch.
    """

    run_id: str | None
    branch: int
    epoch: int
    batch: int
    batches: int | None
    step: int
    reason: str
    finished: str | None
    parent: ForkPoint | None = None

    @property
    def position(self) -> tuple[int, int, int]:
        """How far training was, within one lineage."""
        return (self.epoch, self.batch, self.step)

    @property
    def counts_steps_alone(self) -> bool:
        """As the function of that name."""
        return counts_steps_alone(self.epoch, self.batch, self.batches, self.step)

    @property
    def order(self) -> tuple[int, int, int, int]:
        """What decides which of two states of one run is the newer: never a clock, never a file name."""
        return (self.branch, self.epoch, self.batch, self.step)


def counts_steps_alone(epoch: int, batch: int, batches: int | None, step: int) -> bool:
    """Whether training stands in a loop without epochs, or in a first one of unknown length: its steps say as much."""
    return 0 < batch == step and epoch == 0 and batches is None


def state_key(name: str) -> str:
    """The top-level key of the state tracked as ``name``."""
    return name + _STATE_SUFFIX


def is_reserved(name: str) -> bool:
    """Whether a metric must not be called ``name``, since the payload needs that key itself."""
    return name in RESERVED or name.endswith(_STATE_SUFFIX)


def build(
    *,
    epoch: int,
    states: Mapping[str, Any],
    histories: Mapping[str, list[float]],
    best_corr: float,
    best_epoch: int,
    timestamp: str,
    own: Mapping[str, Any],
) -> Payload:
    """A payload with all ten contract keys: tracked states and histories by their own names, the rest as given."""
    payload: Payload = {EPOCH: epoch, **dict.fromkeys(STATES)}
    payload.update({state_key(name): state for name, state in states.items()})
    payload.update({name: [] for name in HISTORIES})
    payload.update({name: list(values) for name, values in histories.items()})
    payload.update({BEST_CORR: best_corr, BEST_EPOCH: best_epoch, TIMESTAMP: timestamp})
    payload[OWN] = {"format": FORMAT_VERSION, **own}
    return payload


def own_of(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Our own part of a payload; empty for a plain file."""
    own = payload.get(OWN)
    return own if isinstance(own, dict) else {}


def states_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The saved states by the name they were tracked as."""
    return {
        key.removesuffix(_STATE_SUFFIX): value
        for key, value in payload.items()
        if key.endswith(_STATE_SUFFIX) and value is not None
    }


def histories_of(payload: Mapping[str, Any]) -> dict[str, list[float]]:
    """Every recorded history by its metric's name."""
    return {
        key: value
        for key, value in payload.items()
        if key in HISTORIES or (not is_reserved(key) and _is_history(value))
    }


def progress_of(payload: Mapping[str, Any]) -> Progress:
    """Where training stood in a payload that ``check_contract`` accepts."""
    own = own_of(payload)
    epoch = payload[EPOCH]
    if not own:
        return Progress(None, 0, epoch, 0, None, 0, "epoch", None)
    parent = own.get("parent")
    return Progress(
        run_id=own["run_id"],
        branch=own["branch"],
        epoch=epoch,
        batch=own["batch"],
        batches=own.get("batches"),
        step=own["step"],
        reason=own["reason"],
        finished=own.get("finished"),
        parent=fork_point(parent) if parent is not None else None,
    )


def fork_point(parent: Mapping[str, Any]) -> ForkPoint:
    """A branch's parent as the payload and the manifest spell it."""
    return ForkPoint(parent["run_id"], parent["branch"], parent["epoch"], parent["batch"], parent.get("step", 0))


def check_contract(payload: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointDamagedError, naming the keys, unless ``payload`` is what a checkpoint must be.

    The ten contract keys must be there with their types, and our own part, where there is one, must be whole
    and of a format this version reads.
    """
    missing = [key for key in KEYS if key not in payload]
    if missing:
        raise CheckpointDamagedError("store_keys_missing", path=path, keys=", ".join(missing))
    wrong = list(_wrong(payload))
    if wrong:
        raise CheckpointDamagedError("store_keys_wrong", path=path, keys="; ".join(wrong))
    version = own_of(payload).get("format", 0)
    if version > FORMAT_VERSION:
        raise CheckpointDamagedError("store_format_newer", path=path, found=version, known=FORMAT_VERSION)
    wrong = list(_wrong_own(payload))
    if wrong:
        raise CheckpointDamagedError("store_keys_wrong", path=path, keys="; ".join(wrong))


def require_readable(payload: Mapping[str, Any]) -> None:
    """Raise UsageError, naming the keys, if ``payload`` would be written and then refused by every reader."""
    wrong = [*_wrong(payload), *_wrong_own(payload)]
    if wrong:
        raise UsageError("store_not_resumable", keys="; ".join(wrong))


def _wrong(payload: Mapping[str, Any]) -> Iterable[str]:
    for key in (EPOCH, BEST_EPOCH):
        if not _is_count(payload[key]):
            yield _mismatch(key, payload[key], "int")
    for key in STATES:
        if not isinstance(payload[key], dict | None):
            yield _mismatch(key, payload[key], "dict")
    for key in HISTORIES:
        if not _is_history(payload[key]):
            yield _mismatch(key, payload[key], "list[float]")
    if not _is_number(payload[BEST_CORR]):
        yield _mismatch(BEST_CORR, payload[BEST_CORR], "float")
    if not isinstance(payload[TIMESTAMP], str):
        yield _mismatch(TIMESTAMP, payload[TIMESTAMP], "str")
    own = payload.get(OWN)
    if OWN in payload and not (isinstance(own, dict) and _is_count(own.get("format"))):
        yield _mismatch(OWN, own, "dict")


def _wrong_own(payload: Mapping[str, Any]) -> Iterable[str]:
    if OWN not in payload:
        return
    own = payload[OWN]
    for key in ("run_id", "branch", "batch", "step", "reason"):  # what progress is told by
        if key not in own:
            yield f"{OWN}.{key}: missing"
    for mismatch in schema.wrong(own):
        yield f"{OWN}.{mismatch}"


def check_whole(payload: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointDamagedError unless a run can be gone on with from ``payload``, which fulfils the contract.

    All that is needed is there, and nothing in it contradicts the rest. A plain file has nothing of ours, and is whole.
    """
    if OWN not in payload:
        return
    own = payload[OWN]
    missing = sorted(schema.NEEDED - own.keys())
    if missing:
        raise CheckpointDamagedError("store_keys_missing", path=path, keys=", ".join(missing))
    wrong = [f"{OWN}.{mismatch}" for mismatch in schema.contradictions(own, payload)]
    if wrong:
        raise CheckpointDamagedError("store_keys_wrong", path=path, keys="; ".join(wrong))


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: object) -> bool:
    return type(value) is float or (type(value) is int and value.bit_length() < 64)


def _is_history(value: object) -> bool:
    return is_curve(value) or (isinstance(value, list) and all(_is_number(item) for item in value))


def _mismatch(key: str, value: object, expected: str) -> str:
    return f"{key}: {type(value).__name__} {_short(value)}, not {expected}"


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, int | float | str | None) else "…"
    return text if len(text) <= 40 else text[:39] + "…"

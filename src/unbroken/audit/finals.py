"""Final files: what a script ends with, compared value by value but for what is of one process; how far apart."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbroken.audit.verdict import MOST_LARGEST, Largest
from unbroken.disk.digest import file_digest
from unbroken.errors import CheckpointDamagedError
from unbroken.store import payload as keys
from unbroken.store import torchfile
from unbroken.store.trees import children_of

_GRADIENTS = f"{keys.OWN}.grads"  # saved as well where a process has not seen yet that they need not be
# What may differ between two checkpoints of equal runs: when and where one was written, after which resumes, and what
# the loop's variables looked like: those that count are seen in what they do.
_OF_ONE_PROCESS = ("run_id", "reason", "environment", "replays", "epoch_before", "variables")
_MAY_DIFFER = frozenset({keys.TIMESTAMP, *(f"{keys.OWN}.{name}" for name in _OF_ONE_PROCESS)})


@dataclass(frozen=True)
class Comparison:
    """The paths whose values differ, and the tensors among them that are furthest apart.

    ``telling``: a tensor differs, or the file is none that could be looked into.
    """

    differing: tuple[str, ...]
    largest: tuple[Largest, ...] = ()
    telling: bool = False


def compare(expected: Path, got: Path, ignored: AbstractSet[str] = frozenset()) -> Comparison:
    """What differs between two files of one name. Nothing in them is executed; a missing one differs as a whole."""
    if not expected.exists() or not got.exists():
        return Comparison((), ()) if expected.exists() == got.exists() else Comparison((expected.name,), telling=True)
    if file_digest(expected) == file_digest(got):
        return Comparison(())
    try:
        old, new = (dict(_leaves(_open(path), "")) for path in (expected, got))
    except CheckpointDamagedError:
        return Comparison((expected.name,), telling=True)
    return _compare(old, new, ignored)


def _compare(old: Mapping[str, Any], new: Mapping[str, Any], ignored: AbstractSet[str]) -> Comparison:
    from unbroken.state.snapshot import equal_bits

    paths = [*old, *(path for path in new if path not in old)]
    differing = [
        path
        for path in paths
        if path not in ignored
        and not _may_differ(path, old, new)
        and (path not in old or path not in new or equal_bits(old[path], new[path]) is not None)
    ]
    apart = [Largest(path, _distance(old.get(path), new.get(path))) for path in differing if _is_tensor(old.get(path))]
    apart.sort(key=lambda one: -1.0 if one.difference is None else one.difference, reverse=True)
    return Comparison(tuple(differing), tuple(apart[:MOST_LARGEST]), telling=bool(apart))


def _open(path: Path) -> Any:
    """Any torch file whose contents are harmless, also one that is no checkpoint. Raises CheckpointDamagedError."""
    import torch

    torchfile.verify(path)
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise CheckpointDamagedError("audit_final_unreadable", path=path, reason=error) from error


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every value that is no container, and how long the lists are."""
    if not isinstance(value, dict | list | tuple):
        yield path, value
    elif not isinstance(value, dict):
        yield f"{path}[]", len(value)
    for inside, child in children_of(path, value):
        yield from _leaves(child, inside)


def _may_differ(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if path.startswith(_GRADIENTS):
        return old.get(path) is None or new.get(path) is None
    return any(path == name or path.startswith((f"{name}.", f"{name}[")) for name in _MAY_DIFFER)


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_complex()


def _distance(expected: Any, got: Any) -> float | None:
    if not _is_tensor(got) or expected.shape != got.shape or expected.numel() == 0:
        return None
    return float((expected.double() - got.double()).abs().max())

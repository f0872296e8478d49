"""The deep part of ``unbroken verify``: reads each good file once more, every tensor against its digest; the mount."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from unbroken.cli.checkpoints import Entry, State
from unbroken.cli.output import print_pairs, say, working_on
from unbroken.disk.mount import Mount, Promises, try_out
from unbroken.errors import CheckpointDamagedError, NothingToResumeError
from unbroken.messages import text
from unbroken.store import manifest as manifests
from unbroken.store import torchfile
from unbroken.store.folder import CheckpointFolder

_NAMED = 3

# What a file system is asked to do, and what follows where it doesn't.
_PROMISES = {
    "folder_sync": ("cli_promise_folder_sync", "cli_without_folder_sync"),
    "replaces": ("cli_promise_replaces", "cli_without_replaces"),
    "links": ("cli_promise_links", "cli_without_links"),
    "clones": ("cli_promise_clones", "cli_without_clones"),
    "locks": ("cli_promise_locks", "cli_without_locks"),
}


def compare_tensors(entries: Sequence[Entry]) -> tuple[list[Entry], dict[str, tuple[int, int]]]:
    """The entries, damaged where a tensor is not what its manifest recorded; per file (tensors, recorded ones)."""
    from unbroken.store.tensors import tensor_digests

    compared: list[Entry] = []
    counts: dict[str, tuple[int, int]] = {}
    for entry in entries:
        compared.append(entry)
        if entry.state is not State.GOOD:
            continue
        known = manifests.read(CheckpointFolder(entry.path.parent), entry.name)
        try:
            with working_on(entry.path):
                found = tensor_digests(torchfile.read(entry.path))
        except NothingToResumeError:
            continue
        except CheckpointDamagedError as error:
            compared[-1] = replace(entry, state=State.DAMAGED, reason=str(error))
            continue
        recorded = known.tensors if known is not None and manifests.is_current(known, entry.path) else {}
        counts[entry.name] = len(found), len(recorded)
        wrong = [path for path in {**recorded, **found} if recorded and recorded.get(path) != found.get(path)]
        if wrong:
            named = ", ".join(wrong[:_NAMED]) + (", …" if len(wrong) > _NAMED else "")
            said = text("cli_tensors_differ", path=entry.path, count=len(wrong), names=named)
            compared[-1] = replace(entry, state=State.DAMAGED, reason=said)
    return compared, counts


def counts_text(counts: tuple[int, int] | None) -> str:
    if counts is None:
        return "-"
    tensors, recorded = counts
    return str(tensors) if recorded else text("cli_no_record", count=tensors)


def counts_as_json(counts: tuple[int, int] | None) -> dict[str, object]:
    return {} if counts is None else {"tensors": counts[0], "recorded": counts[1]}


def tried(folder: Path) -> Promises | None:
    """What the mount of ``folder`` does when asked; None where nothing can be written."""
    try:
        return try_out(folder)
    except OSError:
        return None


def mount_as_json(mount: Mount, promises: Promises | None) -> dict[str, object]:
    known = {"point": mount.point, "kind": mount.kind, "network": mount.network, "memory": mount.memory}
    return {**known, "promises": asdict(promises) if promises else None}


def print_mount(mount: Mount, promises: Promises | None, *, tried: bool) -> None:
    if tried:
        say()
        say(text("cli_mount", kind=mount.kind or "?", point=mount.point or "?"))
    if promises is not None:
        answers = asdict(promises).items()
        pairs = [("  " + text(_PROMISES[name][0]), _answer(name, kept)) for name, kept in answers]
        print_pairs(pairs)
    elif tried:
        say(text("cli_not_tried"))
    if mount.memory:
        say(text("cli_mount_memory", kind=mount.kind))
    if mount.network:
        say(text("cli_mount_network", kind=mount.kind))


def _answer(name: str, kept: bool) -> str:
    return text("cli_yes") if kept else text(_PROMISES[name][1])

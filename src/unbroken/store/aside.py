"""Moving states out of the way, to the archive: a whole run, or what a new branch left behind. Nothing is lost."""

from pathlib import Path

from unbroken.disk import durable
from unbroken.errors import CheckpointDamagedError, DiskError, NothingToResumeError
from unbroken.store import index, torchfile
from unbroken.store import manifest as manifests
from unbroken.store.ancestry import is_ancestor, newest_first
from unbroken.store.folder import CheckpointFolder, is_own_name
from unbroken.store.manifest import Manifest
from unbroken.store.payload import ForkPoint, Progress
from unbroken.store.record import read_run_record


def retire_branch(folder: CheckpointFolder, run_id: str, branch: int, after: Progress | ForkPoint) -> list[Path]:
    """Move what ``branch``, started from the state ``after``, left behind to the archive; returns the new paths.

    That is: files of older branches of this run that are not on the way to ``branch``. Call it when the first
    file of the new branch is durable; without one it does nothing. Cut short anywhere it is harmless, and
    calling it again finishes it.
    """
    infos = [info for info in index.describe_all(folder) if info.progress.run_id == run_id]
    if not any(info.progress.branch == branch for info in infos):
        return []
    forks = {info.progress.branch: info.progress.parent for info in infos if info.progress.parent}
    forks[branch] = ForkPoint(after.run_id, after.branch, after.epoch, after.batch, after.step)
    left = [info for info in infos if info.progress.branch < branch and not is_ancestor(info.progress, branch, forks)]
    if not left:
        return []
    archive = folder.new_archive(f"{run_id}-before-branch-{branch}")
    return [folder.move_into(archive, folder.path / info.name) for info in left]


def clean(folder: CheckpointFolder) -> None:
    """Finish or remove what a killed trainer left half done. Only under the folder's lock, and before saving.

    A save killed between its two renames has replaced ``latest``, and holds the state before it under a
    temporary name: it gets the name ``previous`` now, as it would have.
    """
    for path in folder.interrupted():
        left = manifests.known(folder, path)
        # With two links latest was not replaced yet.
        if left is not None and path.stat().st_nlink == 1 and _is_newer(left, folder):
            durable.remove_durably(folder.previous)
            durable.move_durably(path, folder.previous)
    folder.remove_litter()


def _is_newer(left: Manifest, folder: CheckpointFolder) -> bool:
    there = manifests.known(folder, folder.previous)
    return there is None or there.progress.run_id != left.progress.run_id or there.progress.order < left.progress.order


def archive_run(folder: CheckpointFolder, label: str) -> Path:
    """Move whatever run is in ``folder`` to a free folder ``archive/<label>``; returns it. See ``move_run``.

    Moved is all that has a name of ours or was written by this library; other torch files stay.
    """
    infos: list[Manifest] = []
    unreadable: list[Path] = []
    for path in folder.checkpoints():
        info = manifests.known(folder, path)
        if info is not None and (is_own_name(path.name) or info.progress.run_id is not None):
            infos.append(info)
        elif info is None and is_own_name(path.name):
            unreadable.append(path)
    record = read_run_record(folder)
    current = record.run_id if record else None
    oldest_first = reversed(newest_first(infos))
    ordered = sorted(oldest_first, key=lambda info: info.progress.run_id == current)
    newest_good = next((info for info in reversed(ordered) if _is_good(folder, info)), None)
    ordered.sort(key=lambda info: info is newest_good)
    return folder.move_run(label, [*unreadable, *(folder.path / info.name for info in ordered)])


def _is_good(folder: CheckpointFolder, info: Manifest) -> bool:
    try:
        torchfile.verify(folder.path / info.name, info.digest)
    except (CheckpointDamagedError, DiskError, NothingToResumeError):
        return False
    return True

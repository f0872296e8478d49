"""Former: the run that a folder holds where another is to begin: all of it moves to the archive, and that is said."""

import logging

from unbroken import messages
from unbroken.store import lineage, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.ancestry import newest_first
from unbroken.store.folder import CheckpointFolder

_log = logging.getLogger("unbroken")


def move_aside(folder: CheckpointFolder) -> None:
    """Move what is in ``folder`` to its archive. Files of other programs stay."""
    if not folder.checkpoints():
        return
    readable = newest_first(manifests.describe_all(folder))
    if not readable:
        archive = lineage.archive_run(folder, "run-damaged")
        _log.warning(messages.text("damaged_run_archived", archive=folder.shown(archive)))
        return
    former = readable[0]
    own = keys.own_of(torchfile.read_metadata(folder.path / former.name))
    archive = lineage.archive_run(folder, f"run-{(former.progress.run_id or 'plain')[:8]}")
    progress = former.progress
    newest = archive / former.name
    if not newest.exists():
        return  # only other programs' files were there
    said = {"archive": folder.shown(archive), "newest": folder.shown(newest)}
    _log.warning(messages.text("former_run_archived", **said, epoch=progress.epoch, batch=progress.batch))
    planned = own.get("planned_epochs")
    if planned is not None and progress.epoch < planned and not progress.finished:
        _log.warning(messages.text("former_run_unfinished", epoch=progress.epoch, planned=planned))

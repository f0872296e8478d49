"""``unbroken prune``: delete old numbered checkpoints, after showing which, and never the last good ones."""

import argparse
from dataclasses import dataclass

from unbroken.cli.checkpoints import Entry, State, examine, look_into, progress_cells
from unbroken.cli.nothing import nothing_found
from unbroken.cli.output import Row, can_ask, columns, confirm, print_json, print_table, say, working_on
from unbroken.cli.parsing import add_folder, positive
from unbroken.disk import durable
from unbroken.disk.space import human, parse_size
from unbroken.errors import NothingToResumeError, UsageError
from unbroken.messages import text
from unbroken.store import lineage, retention, runstate, torchfile
from unbroken.store import manifest as manifests
from unbroken.store.folder import CheckpointFolder, is_numbered
from unbroken.store.manifest import Manifest
from unbroken.store.retention import Policy


@dataclass(frozen=True)
class Pruning:
    """What would go, oldest first, and which files of the run are damaged, so that they count for nothing."""

    doomed: list[Manifest]
    kept: list[Manifest]
    damaged: list[Entry]

    @property
    def size(self) -> int:
        return sum(info.size for info in self.doomed)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)
    parser.add_argument("--keep", metavar="N", type=positive, help=text("cli_help_newest"))
    parser.add_argument("--keep-best", metavar="N", type=positive, help=text("cli_help_keep_best"))
    parser.add_argument("--keep-every", metavar="N", type=positive, help=text("cli_help_keep_every"))
    parser.add_argument("--keep-every-steps", metavar="N", type=positive, help=text("cli_help_keep_every_steps"))
    parser.add_argument("--keep-space", metavar="SIZE", help=text("cli_help_keep_space"))
    parser.add_argument("--dry-run", action="store_true", help=text("cli_help_dry_run"))
    parser.add_argument("--yes", "-y", action="store_true", help=text("cli_help_yes"))


def run(arguments: argparse.Namespace) -> int:
    """Raises UsageError if nobody can be asked; NothingToResumeError, CheckpointDamagedError, GuardError, DiskError."""
    folder = CheckpointFolder(arguments.folder)
    plan = make_plan(folder, _policy(arguments))
    if not arguments.json:
        _print_plan(plan)
        stays = sum(info.size for info in plan.kept)
        if arguments.keep_space is not None and stays > (limit := parse_size(arguments.keep_space)):
            say(text("cli_space_not_reached", size=human(stays), limit=human(limit)))
    deleted: list[str] = []
    if plan.doomed and not arguments.dry_run:
        if not arguments.yes:
            if arguments.json or not can_ask():
                raise UsageError("cli_needs_yes", count=len(plan.doomed))
            if not confirm(text("cli_ask_delete", count=len(plan.doomed), size=human(plan.size))):
                say(text("cli_nothing_deleted"))
                return 0
        deleted = carry_out(folder, plan)
    if arguments.json:
        print_json(
            {
                "folder": str(folder.path),
                "keep": arguments.keep,
                "keep_best": arguments.keep_best,
                "keep_every": arguments.keep_every,
                "keep_every_steps": arguments.keep_every_steps,
                "keep_space": arguments.keep_space and parse_size(arguments.keep_space),
                "dry_run": arguments.dry_run,
                "delete": [{"file": info.name, "size": info.size, **_where(info)} for info in plan.doomed],
                "deleted": deleted,
                "kept": [info.name for info in plan.kept],
                "damaged": [{"file": entry.name, "reason": entry.reason} for entry in plan.damaged],
            }
        )
    elif deleted:
        freed = sum(info.size for info in plan.doomed if info.name in deleted)
        say(text("cli_deleted", count=len(deleted), size=human(freed)))
    elif plan.doomed and arguments.dry_run:
        say(text("cli_dry_run", count=len(plan.doomed), size=human(plan.size)))
    return 0


def _policy(arguments: argparse.Namespace) -> Policy:
    policy = Policy(
        newest=arguments.keep,
        space=None if arguments.keep_space is None else parse_size(arguments.keep_space),
        best=arguments.keep_best,
        every=arguments.keep_every,
        every_steps=arguments.keep_every_steps,
    )
    if policy == Policy():
        raise UsageError("cli_prune_how")
    return policy


def make_plan(folder: CheckpointFolder, policy: Policy) -> Pruning:
    """What ``policy`` would delete of the numbered checkpoints of the folder's run.

    A file counts as kept only once every byte of it was read and found good. Never deleted, whatever the policy
    says: what the next resume takes, the best, the state that a branch was started from, what is marked to be
    kept for ever, what was found damaged.
    """
    with working_on(folder.path):
        found = lineage.explain(folder)
    if found.chosen is None:
        raise lineage.all_damaged(folder, found.rejected) if found.rejected else nothing_found(folder)
    # What is deleted is asked of its own manifest, not of the index.
    described = (manifests.known(folder, folder.path / info.name) for info in found.survey.candidates)
    infos = {info.name: info for info in described if info and info.progress.run_id == found.survey.run_id}
    protected = {found.chosen.name, *folder.kept()}
    scores = {} if policy.best is None else runstate.scores(torchfile.read_metadata(folder.path / found.chosen.name))
    if policy.best is not None and not scores:
        raise UsageError("cli_no_best", path=folder.path / found.chosen.name)
    damaged: dict[str, Entry] = {}
    good: set[str] = set()
    while True:
        counted = [info for info in infos.values() if info.name not in damaged]
        doomed = retention.plan(counted, policy, protected, found.survey.run_id, scores)
        names = {info.name for info in doomed}
        kept = [info for info in counted if info.name not in names]
        unread = [info for info in kept if is_numbered(info.name) and info.name not in good]
        if not unread:
            break
        for info in unread:
            with working_on(folder.path / info.name):
                entry = _examine(folder, info)
            if entry is None or entry.state is State.GOOD:
                good.add(info.name)
            else:
                damaged[info.name] = entry
    unopened = [entry for entry in look_into(folder) if entry.state is State.DAMAGED and entry.name not in infos]
    return Pruning(doomed, kept, [*damaged.values(), *unopened])


def carry_out(folder: CheckpointFolder, plan: Pruning) -> list[str]:
    """Delete what the plan says; returns the names deleted.

    No lock: a full disk is cleared while the trainer runs, and that trainer never needs these files again. One
    that has been replaced since the plan was made is another state, and stays.
    """
    deleted = []
    for info in plan.doomed:
        path = folder.path / info.name
        if not manifests.is_current(info, path):
            continue
        durable.remove_durably(path)
        durable.remove_durably(folder.manifest(info.name))
        deleted.append(info.name)
    return deleted


def _examine(folder: CheckpointFolder, info: Manifest) -> Entry | None:
    try:
        return examine(folder, folder.path / info.name)
    except NothingToResumeError:
        return None


def _where(info: Manifest) -> dict[str, object]:
    return {"epoch": info.progress.epoch, "step": info.progress.step, "branch": info.progress.branch}


def _print_plan(plan: Pruning) -> None:
    for entry in plan.damaged:
        say(entry.reason)
    if not plan.doomed:
        say(text("cli_nothing_to_delete"))
        return
    titles = ["cli_column_delete", "cli_column_epoch", "cli_column_batch", "cli_column_step", "cli_column_size"]
    rows = [Row([info.name, *progress_cells(info.progress), human(info.size), info.timestamp]) for info in plan.doomed]
    print_table(columns(*titles, "cli_column_saved"), rows)
    say(text("cli_kept", names=", ".join(info.name for info in plan.kept)))

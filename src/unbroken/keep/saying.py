"""Saying: what a resume tells the user: where it goes on, and what is not as it was."""

import logging
from pathlib import Path

from unbroken import contract, messages
from unbroken.keep import promised
from unbroken.keep.state import Parts
from unbroken.state import guards
from unbroken.state.settings import Setting, Settings
from unbroken.store import payload as keys
from unbroken.store.runstate import Surroundings

_log = logging.getLogger("unbroken")

_MOST_SHOWN = 5  # of what is installed or set otherwise, and is not used as far as is known


def where(parts: Parts, path: Path, timestamp: str, planned: int | None, *, ends: bool) -> None:
    """The promised lines first; then where this resume goes on, in the user's language.

    ``path`` is that of the state, saved at ``timestamp``; ``planned`` how many epochs there are to be; a run that
    ``ends`` was ended on purpose.
    """
    history, cursor = parts.history, parts.cursor
    epoch, best = cursor.epoch + 1, history.best
    promised.say(contract.RESUMED.format(epoch=epoch))
    label = contract.CORRELATION if history.metric in (None, contract.AUCS) else f" {history.metric}"
    shown = contract.BEST.format(value=best.value, epoch=best.epoch) if best.epoch else contract.NO_BEST_YET
    promised.say(contract.BEST_SO_FAR.format(label=label, best=shown))
    if cursor.batch:
        said = {"epoch": epoch, "batch": cursor.batch, "batches": cursor.batches or "?"}
        promised.say(contract.INSIDE_EPOCH.format(**said))
    if cursor.batch == 0 and (ends or (planned is not None and cursor.epoch >= planned)):
        return  # the loop over the epochs says that it is complete
    saved = {"path": path, "timestamp": timestamp}
    if cursor.epoch == cursor.step == 0 and planned is None:
        _log.info(messages.text("resumed_at_start", **saved))
    elif cursor.batch == 0 and planned is None:
        _log.info(messages.text("resumed_between", **saved, done=cursor.epoch, step=cursor.step))
    elif keys.counts_steps_alone(cursor.epoch, cursor.batch, cursor.batches, cursor.step):
        _log.info(messages.text("resumed_at_step", **saved, step=cursor.step))
    else:
        _log.info(messages.text("resumed", **saved, epoch=epoch, batch=cursor.batch))


def surroundings(then: Surroundings, now: Surroundings) -> list[str]:
    """What has changed around the run; returns what of it may explain other bits."""
    explains: list[str] = []
    for change in guards.differences(then.config, now.config):
        _log.warning(messages.text("config_changed", change=change))
        explains.append(str(change))
    changes = guards.differences(then.environment, now.environment)
    loud = guards.that_matter(changes)
    if changes:
        others = [one for one in changes if one not in loud]
        shown = [str(one) for one in [*loud, *others[:_MOST_SHOWN]]]
        if more := others[_MOST_SHOWN:]:
            shown.append(messages.text("environment_more", count=len(more)))
        said = messages.text("environment_changed", changes=messages.listed(shown))
        _log.log(logging.WARNING if loud else logging.INFO, said)
        explains += map(str, loud)
    return explains


def settings(of: Settings, changes: list[Setting]) -> None:
    """Settings that this start has changed as it was asked to, and those that are built otherwise than in force."""
    for one in changes:
        values = {"setting": one.name, "old": one.then, "new": one.now, "in_force": one.in_force}
        _log.warning(messages.text("setting_changed", **values))
    for one in of.overruled():
        values = {"setting": one.name, "new": one.now, "in_force": one.in_force, "name": repr(of.to_keep(one.name))}
        _log.warning(messages.text("setting_overruled", **values))

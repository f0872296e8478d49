"""Outlook: what policy and triggers will keep, as forecast's ``Plan``; what will not last as long as the run."""

import logging
from dataclasses import dataclass

from unbroken.course.triggers import Triggers
from unbroken.keep.keeper import Keeper
from unbroken.keep.state import Parts
from unbroken.state import schedules
from unbroken.store.forecast import Plan
from unbroken.store.retention import Policy

_log = logging.getLogger("unbroken")


def plan_of(policy: Policy | None, triggers: Triggers) -> Plan | None:
    """What is going to be kept; None where that depends on how many steps an epoch has."""
    policy = policy or Policy()
    if triggers.keep_every_steps is not None or (triggers.number_steps is not None and not policy.has_rules):
        return None
    return Plan(triggers.every_epochs, policy.newest, policy.space, policy.best, policy.every)


@dataclass(frozen=True)
class Outlook:
    """What is said once it is known how long the run is to be; ``planned_before`` is what it was to be at its save."""

    keeper: Keeper
    parts: Parts
    keeping: Plan | None
    planned_before: int | None
    resumed: bool

    def say(self, planned_epochs: int | None) -> None:
        if self.keeping is not None:
            self.keeper.say_forecast(self.keeping, planned_epochs, resumed=self.resumed)
        cursor = self.parts.cursor
        done = cursor.epoch + (cursor.batch / cursor.batches if cursor.batches else 0.0)
        for said in schedules.told(self.parts.tracked, done, self.planned_before, planned_epochs):
            _log.warning(said)

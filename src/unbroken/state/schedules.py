"""Schedules of the learning rate that have run out, or will, under more epochs than they were built for."""

from collections.abc import Iterator
from typing import Any

from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, PolynomialLR

from unbroken import messages
from unbroken.state.tracked import Tracked


def told(tracked: Tracked, done: float, planned_then: Any, planned_now: int | None) -> Iterator[str]:
    """One sentence for each tracked schedule that ends before the epochs do, where there are more of these than before.

    How many steps of it an epoch takes is told by how many the epochs ``done`` have taken.
    """
    if planned_now is None or planned_now <= done or not done:
        return
    if isinstance(planned_then, int) and planned_now <= planned_then:
        return
    for name, scheduler in tracked.objects.items():
        if not isinstance(scheduler, LRScheduler):
            continue
        found = _horizon(scheduler)
        if found is not None:
            kind, horizon = found
            steps = round(scheduler.last_epoch / done * planned_now)
            if steps > horizon:
                values = {"name": name, "steps": steps, "horizon": horizon, "done": scheduler.last_epoch}
                yield messages.text(kind, **values, epochs=planned_now)
        elif all(float(rate) == 0 for rate in scheduler.get_last_lr()):
            yield messages.text("schedule_at_zero", name=name, epochs=planned_now)


def _horizon(scheduler: LRScheduler) -> tuple[str, int] | None:
    """After how many of its steps it has run out, and what it does then."""
    if isinstance(scheduler, OneCycleLR):
        return "schedule_refuses", int(scheduler.total_steps)
    if isinstance(scheduler, CosineAnnealingLR):
        return "schedule_climbs", int(scheduler.T_max)
    if isinstance(scheduler, PolynomialLR):
        return "schedule_rests", int(scheduler.total_iters)
    return None

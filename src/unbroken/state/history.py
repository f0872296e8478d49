"""The history: what the user recorded in every epoch, the unfinished epoch's sums, and the best so far."""

import contextlib
import logging
import math
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch

from unbroken import messages
from unbroken.contract import NO_BEST, NO_BEST_EPOCH
from unbroken.errors import UsageError
from unbroken.store.payload import is_reserved

_log = logging.getLogger("unbroken")

Mode = Literal["max", "min"]


@dataclass(frozen=True)
class Best:
    """The best value so far and its epoch; minus infinity and 0 before there is one."""

    value: float = NO_BEST
    epoch: int = NO_BEST_EPOCH


class History:
    """Every metric's value per completed epoch; a metric not given in an epoch has NaN there.

    ``metric`` is the one that decides about the best, the greatest or (``mode="min"``) the smallest. A NaN is never
    the best; of equals the first is. ``given`` is all that ``average`` was given since ``take_given``, but for what
    lies on an accelerator.
    """

    def __init__(self, metric: str | None = None, mode: Mode = "max") -> None:
        if mode not in ("max", "min"):
            raise UsageError("state_bad_mode", mode=mode)
        if metric is not None:
            _check_name(metric)
        self.metric = metric
        self.mode: Mode = mode
        self.epoch = 0
        self.best = Best()
        self.since = 0
        """The best is judged among the epochs after this one."""
        self.columns: dict[str, list[float]] = {}
        self._sums: dict[str, _Sum] = {}
        self._recorded: dict[str, float] = {}
        self.given: list[float] = []
        self.part = 1.0
        """The weight of one value of a step: of so many ranks each has its part."""

    def average(self, values: Mapping[str, object], weight: float | None = None) -> None:
        """Add to the epoch's weighted means. Sums are in float64, in the order given, and survive a resume exactly."""
        weight = self.part if weight is None else weight
        if not (isinstance(weight, Real) and 0 <= weight <= sys.float_info.max):
            raise UsageError("state_bad_weight", weight=weight)
        taken = {name: _scalar(name, value) for name, value in values.items()}
        for name in taken:
            if name not in self._sums:
                _check_name(name)
            if name in self._recorded:
                raise UsageError("state_metric_both_ways", name=name)
        for name, value in taken.items():
            self._sums.setdefault(name, _Sum()).add(value, float(weight))
            if isinstance(value, float):
                self.given.append(value)

    def take_given(self) -> bytes:
        """The bits of what is in ``given``, which is empty after it."""
        given, self.given = self.given, []
        return struct.pack(f"<{len(given)}d", *given)

    def record(self, values: Mapping[str, object]) -> None:
        """Set this epoch's values; a second value for the same metric replaces the first."""
        taken = {name: float(_scalar(name, value)) for name, value in values.items()}
        for name in taken:
            _check_name(name)
            if name in self._sums:
                raise UsageError("state_metric_both_ways", name=name)
        self._recorded.update(taken)

    def finish_epoch(self) -> bool:
        """Append this epoch's values to the histories; whether this epoch is the new best."""
        self.epoch += 1
        given = {name: total.mean() for name, total in self._sums.items()} | self._recorded
        for name in given:
            self.columns.setdefault(name, [math.nan] * (self.epoch - 1))
        for name, column in self.columns.items():
            column.append(given.get(name, math.nan))
        self._sums, self._recorded, self.given = {}, {}, []
        if self.metric in self.columns:
            self.best = _better(self.best, self.columns[self.metric][-1], self.epoch, self.mode)
        return self.best.epoch == self.epoch

    def is_among_best(self, count: int) -> bool:
        """Whether the epoch just done is one of the best so many; of equals the first are."""
        values = self.columns.get(self.metric or "", [])[self.since :]
        if not values or math.isnan(values[-1]):
            return False
        last = values[-1]
        better = sum(value >= last if self.mode == "max" else value <= last for value in values[:-1])
        return better < count

    def merge(self, of_ranks: Sequence[Mapping[str, Any]]) -> list[str]:
        """Go on with what all ranks have given in this epoch: sums over all of them, in their order, and what the first
        has recorded. Returns the metrics for which another one has recorded another value.
        """
        sums: dict[str, _Sum] = {}
        for one in of_ranks:
            for name, (total, weight) in one["sums"].items():
                sums.setdefault(name, _Sum()).join(total, weight)
        first = of_ranks[0]["recorded"]
        unlike = {
            name
            for one in of_ranks
            for name, value in one["recorded"].items()
            if name not in first or struct.pack("<d", value) != struct.pack("<d", first[name])
        }
        self._sums, self._recorded = sums, {**of_ranks[0]["recorded"]}
        return sorted(unlike)

    def partial(self) -> dict[str, Any]:
        """The unfinished epoch, for ``restore``; safe to keep while training goes on."""
        return {
            "sums": {name: list(total.parts()) for name, total in self._sums.items()},
            "recorded": dict(self._recorded),
        }

    def restore(
        self,
        columns: Mapping[str, Sequence[object]],
        best_value: float,
        best_epoch: int,
        partial: Mapping[str, Any] | None = None,
        *,
        epoch: int | None = None,
        judged_by: tuple[str | None, str] | None = None,
        since: int = 0,
    ) -> None:
        """Go on after ``epoch`` completed epochs (default: as many as the longest column has).

        The best is the one given, unless that is NaN, or ``judged_by``, the metric and mode it was found with, are
        not those of now: then it is judged anew, among the epochs after ``since``. A plain script's column may be
        shorter than ``epoch`` (recording began later: NaN in front) or longer (the rest belongs to epochs that will be
        trained again).
        """
        self.epoch = max(map(len, columns.values()), default=0) if epoch is None else epoch
        self.columns = {
            name: _of_length(self.epoch, name, [float(_scalar(name, value)) for value in column])
            for name, column in columns.items()
            if len(column) > 0
        }
        self.since = since
        given = judged_by is None or judged_by == (self.metric, self.mode)
        if given and not math.isnan(best_value):
            self.best = Best(float(best_value), best_epoch)
        else:
            self.best = self._judged()
        partial = partial or {}
        self._sums = {name: _Sum(*parts) for name, parts in partial.get("sums", {}).items()}
        self._recorded = dict(partial.get("recorded", {}))

    def _judged(self) -> Best:
        best = Best()
        for i, value in enumerate(self.columns.get(self.metric or "", ())):
            if i >= self.since:
                best = _better(best, value, i + 1, self.mode)
        return best


class _Sum:
    """A weighted sum; values on an accelerator are fetched together, when the sum is needed."""

    def __init__(self, total: float = 0.0, weight: float = 0.0) -> None:
        self._total = total
        self._weight = weight
        self._pending: list[tuple[torch.Tensor, float]] = []

    def add(self, value: "float | torch.Tensor", weight: float) -> None:
        if isinstance(value, torch.Tensor):
            self._pending.append((value, weight))
            return
        self._fetch()
        self._total += value * weight
        self._weight += weight

    def join(self, total: float, weight: float) -> None:
        """Add another sum."""
        self._total += total
        self._weight += weight

    def parts(self) -> tuple[float, float]:
        self._fetch()
        return self._total, self._weight

    def mean(self) -> float:
        total, weight = self.parts()
        return total / weight if weight > 0 else math.nan

    def _fetch(self) -> None:
        if self._pending:
            values = torch.stack([value for value, _ in self._pending]).tolist()
            for value, (_, weight) in zip(values, self._pending, strict=True):
                self._total += value * weight
                self._weight += weight
            self._pending = []


def _better(best: Best, value: float, epoch: int, mode: Mode) -> Best:
    if math.isnan(value):
        return best
    if best.epoch == NO_BEST_EPOCH or (value > best.value if mode == "max" else value < best.value):
        return Best(value, epoch)
    return best


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier() or is_reserved(name):
        raise UsageError("state_bad_metric", name=name)


def _scalar(name: str, value: object) -> "float | torch.Tensor":
    """A float; of a tensor on an accelerator a copy there, since fetching it now would make training wait."""
    if isinstance(value, torch.Tensor):
        if value.numel() != 1 or value.is_complex():
            raise UsageError("state_not_scalar", name=name, type=f"tensor{list(value.shape)}")
        if value.device.type == "cpu":
            return float(value.item())
        return value.detach().reshape(()).clone()
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "biuf":
        return float(value.item())
    if isinstance(value, (Real, np.floating, np.integer, np.bool_)):
        with contextlib.suppress(OverflowError):  # an integer beyond all floats
            return float(value)
    raise UsageError("state_not_scalar", name=name, type=type(value).__name__)


def _of_length(epoch: int, name: str, history: list[float]) -> list[float]:
    if len(history) > epoch:
        _log.warning(messages.text("state_history_longer", name=name, found=len(history), epoch=epoch))
    return [math.nan] * (epoch - len(history)) + history[:epoch]

"""Traces made by hand: what a run told, without a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from unbroken.audit.trace import Line, Moment
from unbroken.loop.trace import Group, Kind, Mark, Name

LOSS = Name(Group.AVERAGE, "train_losses")
WEIGHT = Name(Group.MODEL, "model.weight")
ORDER = Name(Group.ORDER, "batches")
RATE = Name(Group.LEARNING_RATE, "optimizer.param_groups[0].lr")
TORCH = Name(Group.STREAM, "torch")
PYTHON = Name(Group.STREAM, "python")
VAL_LOSS = Name(Group.HISTORY, "val_losses")
EMA = Name(Group.MODEL, "main:ema", Mark.UNTRACKED)
COUNT = Name(Group.VARIABLE, "main:count", Mark.HINT)

Values = Mapping[Name, object]


@dataclass
class Told:
    """Lines as one process would have written them."""

    told: list[Line]

    def lines(self) -> Iterator[Line]:
        return iter(self.told)

    def find(self, key: tuple[str, Kind, int]) -> Line | None:
        return next((line for line in self.told if line.moment.key == key), None)

    def last(self) -> Line | None:
        return self.told[-1] if self.told else None


def line(kind: Kind, step: int, values: Values, *, epoch: int = 1, batch: int | None = None, **facts: Any) -> Line:
    moment = Moment("checkpoints", kind, step, epoch, step if batch is None else batch)
    return Line(moment, float(step), {name: str(value) for name, value in values.items()}, facts)


def whole(steps: int, **changes: Mapping[int, Values]) -> Told:
    """A run of one epoch: at step n the loss is n and the weight 10 n; ``step={3: {…}}`` changes a line."""
    return Told([line(Kind.BEGIN, 0, _values(0, changes), epoch=0), *_rest(0, steps, changes)])


def resumed(after: int, steps: int, **changes: Mapping[int, Values]) -> Told:
    """The same, gone on from the state after step ``after``."""
    begin = line(Kind.BEGIN, after, _values(after, changes, "begin"), epoch=0, resumed_from="latest")
    return Told([begin, *_rest(after, steps, changes)])


def killed(told: Told, after: int) -> Told:
    """What there is of it where the process was killed after this step."""
    return Told([one for one in told.told if one.moment.step <= after and one.moment.kind in (Kind.BEGIN, Kind.STEP)])


def _rest(after: int, steps: int, changes: Mapping[str, Mapping[int, Values]]) -> list[Line]:
    trained = [line(Kind.STEP, step, _values(step, changes)) for step in range(after + 1, steps + 1)]
    epoch = {VAL_LOSS: steps, **_values(steps, changes, "epoch")}
    ends = [line(kind, steps, epoch, batch=0) for kind in (Kind.EPOCH, Kind.END)]
    return [*trained, *ends]


def _values(step: int, changes: Mapping[str, Mapping[int, Values]], kind: str = "step") -> dict[Name, object]:
    plain: dict[Name, object] = {LOSS: step, WEIGHT: 10 * step, RATE: 0.1, PYTHON: "p", TORCH: f"t{step}"}
    if kind == "step" and step:
        plain[ORDER] = f"o{step}"
    return {**plain, **changes.get(kind, {}).get(step, {})}

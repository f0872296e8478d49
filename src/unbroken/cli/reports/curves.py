"""Curves: histories thinned to what a picture can show, without losing a lowest or highest value. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Values = Sequence[float]

_TOGETHER = ("train_losses", "val_losses")
_MOST_CURVES = 40
_POINTS_IN_ALL = 12_000
_MOST_POINTS, _FEWEST_POINTS = 2_000, 200


@dataclass(frozen=True)
class Curves:
    """Metrics over the same epochs. ``at`` are the epochs shown, of ``epochs`` in all; NaN where there is no value."""

    names: tuple[str, ...]
    epochs: int
    at: list[int]
    values: list[list[float]]

    @property
    def thinned(self) -> bool:
        return len(self.at) < self.epochs

    @property
    def gaps(self) -> int:
        """Values among those shown that no picture can show."""
        return sum(not math.isfinite(value) for values in self.values for value in values)


def curves_of(histories: Mapping[str, Values]) -> tuple[list[Curves], list[str]]:
    """Every history, training and validation loss together; and the names of those that are too many to show."""
    filled = {name: values for name, values in histories.items() if len(values)}
    together = tuple(name for name in _TOGETHER if name in filled)
    groups = [together] if together else []
    groups += [(name,) for name in filled if name not in together]
    shown = groups[:_MOST_CURVES]
    limit = max(_FEWEST_POINTS, min(_MOST_POINTS, _POINTS_IN_ALL // max(sum(map(len, shown)), 1)))
    left_out = [name for names in groups[_MOST_CURVES:] for name in names]
    return [_curves(names, [filled[name] for name in names], limit) for names in shown], left_out


def _curves(names: tuple[str, ...], histories: list[Values], limit: int) -> Curves:
    epochs = max(map(len, histories))
    kept = sorted({index for values in histories for index in thinned(values, limit // len(histories))})
    values = [[float(one[index]) if index < len(one) else math.nan for index in kept] for one in histories]
    return Curves(names, epochs, [index + 1 for index in kept], values)


def thinned(values: Values, limit: int) -> list[int]:
    """At most ``limit`` places of ``values``, in order: the ends, and of equal parts the lowest and the highest."""
    count = len(values)
    if count <= limit:
        return list(range(count))
    parts = max(limit // 2 - 1, 1)
    kept = {0, count - 1}
    for part in range(parts):
        places = [
            place for place in range(part * count // parts, (part + 1) * count // parts) if math.isfinite(values[place])
        ]
        if places:
            kept.add(min(places, key=values.__getitem__))
            kept.add(max(places, key=values.__getitem__))
    return sorted(kept)

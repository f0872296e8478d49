"""A table of medians, printed as Markdown; times are kept as samples until it is printed."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows by name, each with a list of samples per column; a row may only say why it has none."""

    title: str
    columns: list[str]
    note: str = ""
    digits: int = 0
    ratio_to: tuple[str, str] | None = None
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, row: str, **values: float) -> None:
        for column, value in values.items():
            self.samples.setdefault(row, {}).setdefault(column, []).append(value)

    def median(self, row: str, column: str) -> float | None:
        values = self.samples.get(row, {}).get(column)
        return statistics.median(values) if values else None

    def text(self) -> str:
        heads = ["", *self.columns]
        base = self.median(*self.ratio_to) if self.ratio_to else None
        if base:
            heads.append(f"{self.ratio_to[1]} / {self.ratio_to[0]}'s")  # type: ignore[index]
        lines = [f"### {self.title}", ""] + ([self.note, ""] if self.note else [])
        lines += ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
        for row in self.samples:
            cells = [self._cell(row, column) for column in self.columns]
            if base:
                value = self.median(row, self.ratio_to[1])  # type: ignore[index]
                cells.append("" if value is None else f"{value / base:.2f}")
            lines.append(f"| {row} | " + " | ".join(cells) + " |")
        lines += [f"\n{row}: not measured ({why})" for row, why in self.missing.items()]
        return "\n".join(lines)

    def _cell(self, row: str, column: str) -> str:
        values = self.samples[row].get(column)
        if not values:
            return ""
        middle = f"{statistics.median(values):.{self.digits}f}"
        return f"{middle} ({min(values):.{self.digits}f}..{max(values):.{self.digits}f})" if len(values) > 1 else middle

"""One picture of a training: losses, correlation, predictions against truth, and where it was resumed."""

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from forecaster import messages
from forecaster.results import replace_whole
from forecaster.train import Outcome
from unbroken import contract

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREEN, _GREY = "#3060a8", "#d9822b", "#3d8a5f", "#888888"
_UNIT = {"volatility": "picture_volatility", "return": "picture_return"}
_BUNDLED = "DejaVu Sans"  # comes with matplotlib
_RESUMED = re.compile(contract.RESUMED.format(epoch=r"(\d+)"))


def resumed_epochs(log: Path) -> list[int]:
    """The epochs in which this run was resumed, as its own log tells: what came before a new run is not of it.

    The log, not the checkpoint, has it, so that an interrupted run ends in the very bits of an uninterrupted one.
    """
    epochs: list[int] = []
    beginnings = [messages.text_in(language, "from_scratch") for language in messages.LANGUAGES]
    if log.is_file():
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if any(beginning in line for beginning in beginnings):
                epochs = []
            elif match := _RESUMED.search(line):
                here = int(match[1])
                epochs = [epoch for epoch in epochs if epoch <= here] + [here]
    return sorted(set(epochs))


def draw(path: Path, outcome: Outcome, target: str, resumed: Sequence[int]) -> None:
    """Write the picture as PNG; in the user's language where a font for it is installed, else in English.

    Raises:
        AccessError: the folder can't be written to.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import font_manager
    from matplotlib import pyplot as plt

    lang, fonts = _readable({font.name for font in font_manager.fontManager.ttflist})
    style: dict[Any, Any] = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": False,
        "date.converter": "concise",
    }
    with mpl.rc_context({**style, "font.family": fonts}), _without_notices("matplotlib.font_manager"):
        figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
        try:
            _losses(axes[0, 0], outcome, resumed, lang)
            _correlation(axes[0, 1], outcome, resumed, lang)
            _against_truth(axes[1, 0], outcome, target, lang)
            _by_day(axes[1, 1], outcome, target, lang)
            if outcome.run:
                figure.suptitle(
                    messages.text_in(lang, "picture_run", run=outcome.run), fontsize=8, color=_GREY, x=0.99, ha="right"
                )
            replace_whole(path, lambda draft: figure.savefig(draft, dpi=130, metadata={"Software": None}))
        finally:
            plt.close(figure)


@contextmanager
def _without_notices(logger: str) -> Iterator[None]:
    """A font in one weight only is used for all of them, and each use would be a line on the screen."""
    logged = logging.getLogger(logger)
    level = logged.level
    logged.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logged.setLevel(level)


def _readable(installed: Collection[str]) -> tuple[str, list[str]]:
    """The picture's language and its fonts, the best first: ``picture_fonts`` of a language names what shows it."""
    lang = messages.language()
    fonts = [name for name in messages.text_in(lang, "picture_fonts").split(", ") if name in installed]
    return (lang, [*fonts, _BUNDLED]) if fonts else (messages.FALLBACK, [_BUNDLED])


def _losses(axes: "Axes", outcome: Outcome, resumed: Sequence[int], lang: str) -> None:
    from matplotlib.ticker import LogFormatter

    epochs = np.arange(1, len(outcome.train_losses) + 1)
    axes.plot(epochs, outcome.train_losses, color=_BLUE, label=messages.text_in(lang, "picture_training"))
    axes.plot(epochs, outcome.val_losses, color=_ORANGE, label=messages.text_in(lang, "picture_validation"))
    axes.set_ylabel(messages.text_in(lang, "picture_loss"))
    _by_epoch(axes, resumed, lang)
    if outcome.learning_rates:
        rates = axes.twinx()
        epochs = np.arange(1, len(outcome.learning_rates) + 1)
        rates.step(epochs, outcome.learning_rates, where="mid", color=_GREY, linewidth=1, alpha=0.7)
        rates.set_yscale("log")
        # In plain text: the signs of formulas are missing in many fonts that have Chinese.
        rates.yaxis.set_major_formatter(LogFormatter())
        rates.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
        rates.set_ylabel(messages.text_in(lang, "picture_learning_rate"), color=_GREY)
        rates.spines["right"].set_visible(True)


def _correlation(axes: "Axes", outcome: Outcome, resumed: Sequence[int], lang: str) -> None:
    epochs = np.arange(1, len(outcome.correlations) + 1)
    axes.plot(epochs, outcome.correlations, color=_BLUE, label=messages.text_in(lang, "picture_network"))
    if outcome.best_epoch:
        axes.plot([outcome.best_epoch], [outcome.best], "o", color=_BLUE, markersize=5)
    yardsticks = outcome.yardsticks
    axes.axhline(yardsticks.ridge, color=_GREEN, linestyle="--", label=messages.text_in(lang, "picture_ridge"))
    axes.axhline(
        yardsticks.persistence, color=_GREY, linestyle="--", label=messages.text_in(lang, "picture_persistence")
    )
    axes.set_ylabel(messages.text_in(lang, "picture_correlation"))
    _by_epoch(axes, resumed, lang)


def _by_epoch(axes: "Axes", resumed: Sequence[int], lang: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for epoch in resumed:
        label = messages.text_in(lang, "picture_resumed") if epoch == resumed[0] else None
        axes.axvline(epoch - 0.5, color=_GREY, linestyle=":", linewidth=1, label=label)
    axes.set_xlabel(messages.text_in(lang, "picture_epoch"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def _against_truth(axes: "Axes", outcome: Outcome, target: str, lang: str) -> None:
    truth, unit = _truth(outcome), messages.text_in(lang, _UNIT[target])
    axes.scatter(truth, outcome.predictions, s=4, alpha=0.25, color=_BLUE, linewidths=0)
    both = np.concatenate([truth, outcome.predictions])
    ends = [np.nanmin(both), np.nanmax(both)]
    axes.plot(ends, ends, color=_GREY, linewidth=1)
    axes.set_title(messages.text_in(lang, "picture_against"), fontsize=9)
    axes.set_xlabel(f"{messages.text_in(lang, 'picture_truth')} ({unit})")
    axes.set_ylabel(f"{messages.text_in(lang, 'picture_prediction')} ({unit})")


def _by_day(axes: "Axes", outcome: Outcome, target: str, lang: str) -> None:
    days, place = np.unique(outcome.windows.validation.day, return_inverse=True)
    stocks = np.bincount(place)
    for values, color, key in (
        (_truth(outcome), _ORANGE, "picture_truth"),
        (outcome.predictions, _BLUE, "picture_prediction"),
    ):
        axes.plot(
            days,
            np.bincount(place, weights=values) / stocks,
            color=color,
            linewidth=1,
            label=messages.text_in(lang, key),
        )
    axes.set_title(messages.text_in(lang, "picture_by_day"), fontsize=9)
    axes.set_ylabel(messages.text_in(lang, _UNIT[target]))
    axes.legend(frameon=False)


def _truth(outcome: Outcome) -> npt.NDArray[np.float64]:
    windows = outcome.windows
    truth: npt.NDArray[np.float64] = windows.validation.label.astype(np.float64) * windows.label_scale
    return truth + windows.label_mean

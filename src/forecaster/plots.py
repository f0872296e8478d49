"""One picture of a training: losses, correlation, predictions against truth, and where it was resumed."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from forecaster import messages
from forecaster.results import replace_whole
from forecaster.train import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREEN, _GREY = "#3060a8", "#d9822b", "#3d8a5f", "#888888"
_CHINESE_FONTS = (
    *("Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS", "AR PL UMing CN"),
)
_RESUMED = re.compile(r"恢复训练，从 epoch (\d+) 开始")


def resumed_epochs(log: Path) -> list[int]:
    """The epochs in which this run was resumed, as its own log tells: what came before a new run is not of it.

    The log, not the checkpoint, has it, so that an interrupted run ends in the very bits of an uninterrupted one.
    """
    epochs: list[int] = []
    if log.is_file():
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if any(beginning in line for beginning in messages.SENTENCES["from_scratch"]):
                epochs = []
            elif match := _RESUMED.search(line):
                here = int(match[1])
                epochs = [epoch for epoch in epochs if epoch <= here] + [here]
    return sorted(set(epochs))


def draw(path: Path, outcome: Outcome, target: str, resumed: Sequence[int]) -> None:
    """Write the picture as PNG; in Chinese where a font for it is installed.

    Raises:
        AccessError: the folder can't be written to.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import font_manager
    from matplotlib import pyplot as plt

    installed = {font.name for font in font_manager.fontManager.ttflist}
    chinese = next((name for name in _CHINESE_FONTS if name in installed), None)
    lang: messages.Language = "zh" if messages.language() == "zh" and chinese else "en"
    fonts = [name for name in (chinese, "DejaVu Sans") if name]
    style: dict[Any, Any] = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": False,
        "date.converter": "concise",
    }
    with mpl.rc_context({**style, "font.family": fonts}):
        figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
        try:
            _losses(axes[0, 0], outcome, resumed, lang)
            _correlation(axes[0, 1], outcome, resumed, lang)
            _against_truth(axes[1, 0], outcome, target, lang)
            _by_day(axes[1, 1], outcome, target, lang)
            replace_whole(path, lambda draft: figure.savefig(draft, dpi=130, metadata={"Software": None}))
        finally:
            plt.close(figure)


def _losses(axes: "Axes", outcome: Outcome, resumed: Sequence[int], lang: messages.Language) -> None:
    epochs = np.arange(1, len(outcome.train_losses) + 1)
    axes.plot(epochs, outcome.train_losses, color=_BLUE, label=_say("picture_training", lang))
    axes.plot(epochs, outcome.val_losses, color=_ORANGE, label=_say("picture_validation", lang))
    axes.set_ylabel(_say("picture_loss", lang))
    _by_epoch(axes, resumed, lang)


def _correlation(axes: "Axes", outcome: Outcome, resumed: Sequence[int], lang: messages.Language) -> None:
    epochs = np.arange(1, len(outcome.correlations) + 1)
    axes.plot(epochs, outcome.correlations, color=_BLUE, label=_say("picture_network", lang))
    if outcome.best_epoch:
        axes.plot([outcome.best_epoch], [outcome.best], "o", color=_BLUE, markersize=5)
    yardsticks = outcome.yardsticks
    axes.axhline(yardsticks.ridge, color=_GREEN, linestyle="--", label=_say("picture_ridge", lang))
    axes.axhline(yardsticks.persistence, color=_GREY, linestyle="--", label=_say("picture_persistence", lang))
    axes.set_ylabel(_say("picture_correlation", lang))
    _by_epoch(axes, resumed, lang)


def _by_epoch(axes: "Axes", resumed: Sequence[int], lang: messages.Language) -> None:
    from matplotlib.ticker import MaxNLocator

    for epoch in resumed:
        label = _say("picture_resumed", lang) if epoch == resumed[0] else None
        axes.axvline(epoch - 0.5, color=_GREY, linestyle=":", linewidth=1, label=label)
    axes.set_xlabel(_say("picture_epoch", lang))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def _against_truth(axes: "Axes", outcome: Outcome, target: str, lang: messages.Language) -> None:
    truth, unit = _truth(outcome), _say(f"picture_{target}", lang)
    axes.scatter(truth, outcome.predictions, s=4, alpha=0.25, color=_BLUE, linewidths=0)
    both = np.concatenate([truth, outcome.predictions])
    ends = [np.nanmin(both), np.nanmax(both)]
    axes.plot(ends, ends, color=_GREY, linewidth=1)
    axes.set_title(_say("picture_against", lang), fontsize=9)
    axes.set_xlabel(f"{_say('picture_truth', lang)} ({unit})")
    axes.set_ylabel(f"{_say('picture_prediction', lang)} ({unit})")


def _by_day(axes: "Axes", outcome: Outcome, target: str, lang: messages.Language) -> None:
    days, place = np.unique(outcome.windows.validation.day, return_inverse=True)
    stocks = np.bincount(place)
    for values, color, key in (
        (_truth(outcome), _ORANGE, "picture_truth"),
        (outcome.predictions, _BLUE, "picture_prediction"),
    ):
        axes.plot(days, np.bincount(place, weights=values) / stocks, color=color, linewidth=1, label=_say(key, lang))
    axes.set_title(_say("picture_by_day", lang), fontsize=9)
    axes.set_ylabel(_say(f"picture_{target}", lang))
    axes.legend(frameon=False)


def _truth(outcome: Outcome) -> npt.NDArray[np.float64]:
    windows = outcome.windows
    truth: npt.NDArray[np.float64] = windows.validation.label.astype(np.float64) * windows.label_scale
    return truth + windows.label_mean


def _say(key: str, lang: messages.Language) -> str:
    return messages.text_in(lang, key)

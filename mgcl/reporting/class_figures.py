"""Classes of a table as pictures: which are taken for which, and which the method helps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mgcl.records import EpisodeResult
from mgcl.reporting.drawing import LOOKS, canvas, finish
from mgcl.reporting.figure import Figure


def confusion(name: str, where: str, episodes: Sequence[EpisodeResult]) -> Figure:
    """Shares of each class's query clips that were given each label, in the episodes that held both classes.

    Args:
        name: of the picture.
        where: what the episodes are of, in words.
        episodes: of one fold.
    """
    labels = _labels(episodes)
    shares = confusion_shares(episodes, labels)
    side = 1.6 + 0.34 * len(labels)
    drawn = canvas(side + 0.9, side)
    axes = drawn.subplots()
    image = axes.imshow(100 * shares, cmap="cividis", vmin=0, vmax=100)
    for true, predicted in zip(*np.nonzero(np.nan_to_num(shares) >= 0.005), strict=True):
        share = shares[true, predicted]
        color = "black" if share > 0.5 else "white"
        number = axes.text(predicted, true, f"{100 * share:.0f}", ha="center", va="center", color=color, fontsize=7)
        number.set_in_layout(False)  # it lies within: looking at each again is a third of the time
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    drawn.colorbar(image, label="% of the true class's query clips", shrink=0.7)
    caption = (
        f"{where}: of a class's query clips (row), the share that was given each label (column), in the episodes that "
        "held both classes. Empty: under half a percent, or never drawn together (white)."
    )
    return finish(name, caption, drawn)


def confusion_shares(episodes: Sequence[EpisodeResult], labels: Sequence[str]) -> NDArray[np.float64]:
    """Shape (classes, classes), in 0..1: rows true, columns answered; NaN for classes never drawn together."""
    index = {label: place for place, label in enumerate(labels)}
    counts, asked = np.zeros((2, len(labels), len(labels)))
    for episode in episodes:
        places = np.ix_(*[[index[label] for label in episode.classes]] * 2)
        matrix = np.asarray(episode.confusion)
        counts[places] += matrix
        asked[places] += matrix.sum(1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(counts, asked, out=np.full_like(counts, np.nan), where=asked > 0)
    return shares


def gain(where: str, full: Sequence[EpisodeResult], zero_shot: Sequence[EpisodeResult]) -> Figure:
    """Share of each class's query clips that were recognised, by ``full`` and by zero-shot, the largest gain on top.

    Args:
        where: what the episodes are of, in words.
        full: all of its episodes.
        zero_shot: the same episodes.
    """
    labels = _labels(full)
    before, after = (100 * np.diagonal(confusion_shares(each, labels)) for each in (zero_shot, full))
    order = np.argsort(after - before, kind="stable")
    places = range(len(labels))
    drawn = canvas(6.5, 1.4 + 0.2 * len(labels))
    axes = drawn.subplots()
    axes.hlines(places, before[order], after[order], color="grey", linewidth=1)
    axes.plot(before[order], places, "s", color=LOOKS[1].color, markerfacecolor="white", label="zero-shot")
    axes.plot(after[order], places, "o", color=LOOKS[5].color, label="full")
    axes.set_yticks(places, [f"{labels[each]}  {after[each] - before[each]:+.0f}" for each in order])
    axes.set_xlabel("query clips of the class that were recognised (%)")
    axes.grid(axis="x", alpha=0.3)
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    caption = f"{where}: what full gains on zero-shot, class by class, in points (at the names), on the same episodes."
    return finish("gain", caption, drawn)


def _labels(episodes: Sequence[EpisodeResult]) -> list[str]:
    return sorted({label for episode in episodes for label in episode.classes})

"""Pictures of a table's classes: which are confused with which, and how much the method gains on each."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mgcl.details import Confusion
from mgcl.reporting.drawing import LOOKS, canvas, finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted, width, wrapped

_SHOWN = 60
"""Largest number of classes in a picture, which is two feet wide then."""


def confusion(name: str, where: str, units: Sequence[Confusion], unit: str) -> Figure:
    """Confusion matrix: share of each class's query clips per answered label, in the units that held both classes.

    Of more than 60 classes, those that were recognised least are shown.

    Args:
        name: name of the picture.
        where: row, column and block of the units, in words, for the caption.
        units: confusion counts of one block, one per unit.
        unit: the task's noun for a unit, e.g. "episode".
    """
    every, kinds = _labels(units), _kinds(units)
    shares = confusion_shares(units, every)
    shown = np.sort(np.argsort(np.diagonal(shares), kind="stable")[:_SHOWN])
    labels, shares = [every[place] for place in shown], shares[np.ix_(shown, shown)]
    names = [fitted(label, 2.6) for label in labels]
    # At least 5 classes' width leaves room for the label of the colour bar.
    side = 1 + max(map(width, names)) + 0.34 * max(len(labels), 5)
    drawn = canvas(side + 0.9, side)
    axes = drawn.subplots()
    image = axes.imshow(100 * shares, cmap="cividis", vmin=0, vmax=100)
    for true, predicted in zip(*np.nonzero(np.nan_to_num(shares) >= 0.005), strict=True):
        share = shares[true, predicted]
        color = "black" if share > 0.5 else "white"
        number = axes.text(predicted, true, f"{100 * share:.0f}", ha="center", va="center", color=color, fontsize=7)
        number.set_in_layout(False)  # numbers lie within the axes; measuring them takes a third of the time
    bounds = [place - 0.5 for place in range(1, len(labels)) if kinds[labels[place]] != kinds[labels[place - 1]]]
    for bound in bounds:
        axes.axhline(bound, color="white", linewidth=1)
        axes.axvline(bound, color="white", linewidth=1)
    axes.set_xticks(range(len(labels)), names, rotation=90)
    axes.set_yticks(range(len(labels)), names)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    drawn.colorbar(image, label=wrapped("% of the true class's query clips", 1.5), shrink=0.7)
    caption = (
        f"{where}: of a class's query clips (row), the share that was given each label (column), in the {unit}s that "
        "held both classes. Empty: under half a percent, or never drawn together (white)."
        + (f" Of {len(every)} classes, the {_SHOWN} that were recognised least." if len(every) > _SHOWN else "")
        + (
            f" Lines part kinds of classes: {', '.join(dict.fromkeys(kinds[label] for label in labels))}."
            if bounds
            else ""
        )
    )
    return finish(name, caption, drawn)


def confusion_shares(units: Sequence[Confusion], labels: Sequence[str]) -> NDArray[np.float64]:
    """Confusion shares in 0..1, shape (classes, classes): rows true, columns answered; NaN if never drawn together."""
    index = {label: place for place, label in enumerate(labels)}
    counts, asked = np.zeros((2, len(labels), len(labels)))
    for each in units:
        places = np.ix_(*[[index[label] for label in each.classes]] * 2)
        matrix = np.asarray(each.counts)
        counts[places] += matrix
        asked[places] += matrix.sum(1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(counts, asked, out=np.full_like(counts, np.nan), where=asked > 0)
    return shares


def gain(
    where: str, names: tuple[str, str], after: Sequence[Confusion], before: Sequence[Confusion], unit: str
) -> Figure:
    """Share of each class's query clips that two rows recognised, with the largest gain on top.

    Of more than 60 classes, those with the largest gains and the largest losses are shown.

    Args:
        where: column of the units, in words, for the caption.
        names: names of the row that gains and of the row that it is compared with.
        after: confusion counts of the first row, one per unit.
        before: confusion counts of the second row, for the same units.
        unit: the task's noun for a unit, e.g. "episode".
    """
    labels = _labels(after)
    low, high = (100 * np.diagonal(confusion_shares(each, labels)) for each in (before, after))
    order = np.argsort(high - low, kind="stable")
    if len(order) > _SHOWN:
        order = np.concatenate([order[: _SHOWN // 2], order[-_SHOWN // 2 :]])
    places = range(len(order))
    rows = [f"{fitted(labels[each], 2.6)}  {high[each] - low[each]:+.0f}" for each in order]
    drawn = canvas(5 + max(map(width, rows)), 1.4 + 0.2 * len(order))
    axes = drawn.subplots()
    axes.hlines(places, low[order], high[order], color="grey", linewidth=1)
    axes.plot(low[order], places, "s", color=LOOKS[1].color, markerfacecolor="white", label=fitted(names[1], 2))
    axes.plot(high[order], places, "o", color=LOOKS[5].color, label=fitted(names[0], 2))
    axes.set_yticks(places, rows)
    axes.set_xlabel("query clips of the class that were recognised (%)")
    axes.grid(axis="x", alpha=0.3)
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    caption = (
        f"{where}: what {names[0]} gains on {names[1]}, class by class, in points (at the names), on the same {unit}s."
        + (f" Of {len(labels)} classes, the {_SHOWN} at the ends." if len(labels) > _SHOWN else "")
    )
    return finish("gain", caption, drawn)


def _labels(units: Sequence[Confusion]) -> list[str]:
    """Labels sorted by name, kind by kind."""
    kinds = _kinds(units)
    order = list(dict.fromkeys(kinds.values()))
    return sorted(kinds, key=lambda label: (order.index(kinds[label]), label))


def _kinds(units: Sequence[Confusion]) -> dict[str, str]:
    """Label -> kind; one kind for all if the units do not tell them."""
    return {
        label: kind
        for each in units
        for label, kind in zip(each.classes, each.kinds or [""] * len(each.classes), strict=True)
    }

"""Pictures of what trials give beside scores: a trade-off of two figures, kinds of mistakes, synthetic vectors."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mgcl.details import Confusion, Samples, Tradeoff
from mgcl.reporting.drawing import LOOKS, canvas, finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted, width, wrapped

_ACROSS, _PANELS = 3, 12
"""Panels of samples in a row, and at most."""
_LEGEND = 0.9
"""Inches of a legend's entry beside its text."""


def tradeoff(where: str, blocks: Mapping[str, Sequence[Tradeoff]], unit: str) -> Figure:
    """Two figures against each other over a number that decides between them, with the taken values marked.

    Args:
        where: row and column of the trials, in words, for the caption.
        blocks: name of a block -> trade-offs of its units; drawn is their mean, of the first blocks that have a look.
        unit: the task's noun for a unit, e.g. "episode".
    """
    shown = dict(zip(blocks, LOOKS, strict=False))
    names = {block: fitted(block, 2) for block in shown}
    first = next(iter(blocks.values()))[0]
    beside = _beside(names.values(), 4.6)
    drawn = canvas(4.6, 4.2 + 0.2 * math.ceil(len(names) / beside))
    axes = drawn.subplots()
    for block, look in shown.items():
        curve = 100 * np.mean([each.figures for each in blocks[block]], axis=0)
        axes.plot(*curve.T, label=names[block], color=look.color, linestyle=look.linestyle, marker=".", markersize=5)
        for taken in sorted({each.taken for each in blocks[block]}):
            at = curve[first.values.index(taken)]
            axes.plot(*at, marker=look.marker, color=look.color, markersize=10, markeredgecolor="white", zorder=3)
            note = f"{fitted(first.number, 0.8)} {taken:g}"
            axes.annotate(note, at, xytext=(7, 5), textcoords="offset points", fontsize=7, color=look.color)
    axes.margins(0.12)
    across, up = (fitted(f"{name} (%)", 3) for name in first.axes)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=beside, handlelength=4)
    low, high = first.values[0], first.values[-1]
    caption = (
        f"{where}: {first.axes[1]} against {first.axes[0]} at {first.number} from {low:g} to {high:g} (dots); a line "
        f"is the mean over its {unit}s. Large marker: the value that the scores were measured with. The others "
        "were tried on the tested clips for this picture alone."
    )
    return finish("tradeoff", caption, drawn)


def kinds(where: str, rows: Mapping[str, Sequence[Confusion]], unit: str) -> Figure:
    """Answers to clips of each kind of class: right, or wrong, and then a class of which kind.

    Args:
        where: column of the trials, in words, for the caption.
        rows: name of a row -> confusion counts, all with the same kinds.
        unit: the task's noun for a unit, e.g. "episode".
    """
    of = list(dict.fromkeys(next(iter(rows.values()))[0].kinds))
    names, bars = zip(
        *(
            (f"{fitted(row, 2)}: {fitted(kind, 1)}", share)
            for row, each in rows.items()
            for kind, share in _by_kind(each)
        ),
        strict=True,
    )
    answers = ["right", *(f"wrong, {fitted(kind, 1)}" for kind in of)]
    beside = _beside(answers, 6)
    wide = 4 + max(map(width, names))
    drawn = canvas(max(wide, 6), 0.9 + 0.32 * len(bars) + 0.2 * math.ceil(len(answers) / beside))
    axes = drawn.subplots()
    left = np.zeros(len(bars))
    for index, answer in enumerate(answers):
        share = 100 * np.array([each[index] for each in bars])
        look = LOOKS[(5, 1, 2, 3, 4, 6)[index % 6]]
        axes.barh(range(len(bars)), share, left=left, label=answer, color=look.color, edgecolor="white")
        for place, (start, each) in enumerate(zip(left, share, strict=True)):
            if each >= 5:
                color = "white" if index == 0 else "black"
                axes.text(start + each / 2, place, f"{each:.0f}", ha="center", va="center", fontsize=7, color=color)
        left += share
    axes.set_yticks(range(len(bars)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("answers to clips of the kind (%)")
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=beside)
    caption = (
        f"{where}: what clips of each kind of class ({', '.join(of)}) were answered: their class, or another class of "
        f"either kind. Every class counts alike; mean over all {unit}s."
    )
    return finish("kinds", caption, drawn)


def kind_shares(units: Sequence[Confusion]) -> NDArray[np.float64]:
    """Shares of answers in 0..1, shape (kinds, 1 + kinds): right, then wrong with a class of each kind.

    Kinds are in the order in which the classes name them. Classes of a kind count alike, and so do units.
    """
    of = list(dict.fromkeys(units[0].kinds))
    found = np.zeros((len(units), len(of), 1 + len(of)))
    for unit, each in zip(found, units, strict=True):
        counts = np.asarray(each.counts, float)
        shares = counts / counts.sum(1, keepdims=True)
        right, kind_of = np.diagonal(shares).copy(), np.array([of.index(kind) for kind in each.kinds])
        np.fill_diagonal(shares, 0)
        answers = np.stack([right, *(shares[:, kind_of == kind].sum(1) for kind in range(len(of)))], 1)
        unit[:] = [answers[kind_of == kind].mean(0) for kind in range(len(of))]
    mean: NDArray[np.float64] = found.mean(0)
    return mean


def _by_kind(units: Sequence[Confusion]) -> list[tuple[str, NDArray[np.float64]]]:
    return list(zip(dict.fromkeys(units[0].kinds), kind_shares(units), strict=True))


def samples(where: str, of: Samples) -> Figure:
    """Synthetic beside real vectors, one panel per class.

    Args:
        where: row, column and block of the trial, in words, for the caption.
        of: the vectors.
    """
    count = min(len(of.classes), _PANELS)
    across = min(_ACROSS, count)
    down = math.ceil(count / across)
    drawn = canvas(max(0.6 + 2.3 * across, 4.6), 0.8 + 2.4 * down)
    panels = drawn.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    everything = np.array([point for points in of.real for point in points])
    for index, axes in enumerate(panels):
        if index >= count:
            axes.set_axis_off()
            continue
        axes.scatter(*everything.T, s=4, color="0.8", label="real, every class")
        for points, name, look in ((of.synthetic, "synthetic", LOOKS[1]), (of.real, "real", LOOKS[5])):
            axes.scatter(*np.array(points[index]).T, s=14, marker=look.marker, label=name, color=look.color, alpha=0.7)
        other = f" (nearest other {of.nearest[index]:.2f})" if of.nearest else ""
        distance = fitted(f"{of.own[index]:.2f}{other}", 2.1, 7)
        axes.set_title(f"{wrapped(of.classes[index], 2.1, 8)}\n{distance}", fontsize=8)
        axes.tick_params(labelsize=7)
    drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, markerscale=1.5)
    rest = f" The first {count} of {len(of.classes)} classes." if count < len(of.classes) else ""
    nearer = sum(own < other for own, other in zip(of.own, of.nearest, strict=False))
    caption = (
        f"{where}: what the row synthesises of a class, beside tested clips, on the two principal axes of the clips' "
        f"vectors ({100 * of.shown:.0f} % of their variance).{rest} Numbers: Fréchet distance of a class's synthetic "
        "vectors from its real ones, and from those of the nearest other class, in all dimensions. Few vectors make a "
        f"distance large. Mean {np.mean(of.own):.2f}; in {nearer} of {len(of.classes)} classes the own one is smaller."
    )
    return finish("samples", caption, drawn)


def _beside(names: Iterable[str], wide: float) -> int:
    """Number of legend entries that fit side by side, at most 4."""
    return max(1, min(4, int(wide / (_LEGEND + max(map(width, names))))))

"""Figures of the reasons for an answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes

from mgcl.classifier.reasons import Reasons, Share
from mgcl.classifier.sounds import Sound
from mgcl.records import Value
from mgcl.reporting.alignment_figure import alignment as drawn_alignment
from mgcl.reporting.drawing import LOOKS, STYLE, canvas, finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted
from mgcl.reporting.plan_drawing import ROW, Excerpt, Panel, over_time, shortened

_STRONGEST = 4
_NAME = 48
_GRAINS: Mapping[str, Mapping[str, Any]] = {
    "coarse": {"label": "as a whole (coarse)", "color": LOOKS[5].color},
    "fine": {"label": "segment by segment (fine)", "color": LOOKS[1].color, "hatch": "////", "edgecolor": "white"},
    "": {"label": "score", "color": LOOKS[3].color},
}
_ROWS = {"support clips (cache)": "cache", "explanations (contrast)": "contrast"}
"""Row of the first panel -> last word of the names of its score parts. Every other part has a row of its own."""


def transport(reasons: Reasons, sound: Sound, sample_rate: int) -> Figure:
    """Draw the clip's spectrogram above its transport plans to the explanations of the two most probable classes.

    Args:
        reasons: reasons for the answer.
        sound: the sound that was embedded.
        sample_rate: sample rate of the sound, in Hz.
    """
    roles = ("most probable", "second") if reasons.is_turned_away else ("answered", "runner-up")
    panels = [
        Panel(
            f"{fitted(label, 3)} ({role})",
            np.array(reasons.plans[label]).T,
            [*map(shortened, reasons.explanations[label])],
        )
        for label, role in zip(_compared(reasons), roles, strict=True)
        if label in reasons.plans
    ]
    plans = (
        "how the fine contrast's transport plan matches the clip's segments (columns) with the explanations (rows) of "
        "the two most probable classes."
    )
    caption = plans if panels else "the clip's spectrogram. The model's method gives no transport plans to show."
    end = reasons.segment_times[-1] + reasons.segment_times[0]
    with style.context(["default", STYLE]):
        return finish("transport", f"When: {caption}", over_time(Excerpt(sound.waveform, sample_rate), panels, end))


def alignment(reasons: Reasons, sound: Sound, sample_rate: int) -> Figure | None:
    """Draw how the clip's frames meet the words of the most probable class's strongest sentence.

    Args:
        reasons: reasons for the answer.
        sound: the sound that was embedded.
        sample_rate: sample rate of the sound, in Hz.

    Returns:
        The picture; None: the reasons have no alignment.
    """
    if reasons.alignment is None:
        return None
    end = reasons.segment_times[-1] + reasons.segment_times[0]
    where = f"Words: the sentence of {reasons.ranking[0]} that speaks most for it"
    return drawn_alignment(where, reasons.alignment, Excerpt(sound.waveform, sample_rate), end)


def shares(reasons: Reasons) -> Figure:
    """Draw the shares of the logits: for the most probable class to the right, for the second to the left."""
    first, second = _compared(reasons)
    panels = list(_panels(reasons))
    heights = [len(panel.rows) + 1.3 for panel in panels]
    with style.context(["default", STYLE]):
        drawn = canvas(9, 0.8 + 0.27 * sum(heights))
        axes = drawn.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for place, panel in zip(axes, panels, strict=True):
            _bars(place, panel)
        axes[-1].set_xlabel(f"← for {fitted(second, 1.2)}     share of the logit     for {fitted(first, 1.2)} →")
        drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
        away = f"it was rejected as {reasons.answer.words}, and " if reasons.is_turned_away else ""
        caption = (
            f"Why: {away}what speaks for {first} (to the right) and for {second} (to the left): the parts of the "
            "score, the strongest support clips of the cache, and the strongest explanations of the contrast."
        )
        return finish("shares", caption, drawn)


def file_name(clip: str) -> str:
    """A clip's file name without its folders; a long name keeps its end only."""
    name = "".join(each if each.isprintable() else " " for each in Path(clip).name)
    return name if len(name) <= _NAME else f"...{name[3 - _NAME :]}"


def _compared(reasons: Reasons) -> tuple[Value, Value]:
    first, second, *_ = reasons.ranking
    return first, second


class _Bars(NamedTuple):
    title: str
    rows: Sequence[tuple[str, Mapping[str, float]]]
    """Name of a row, and its score part -> share: above zero for the first class, below zero for the second."""


def _panels(reasons: Reasons) -> Iterator[_Bars]:
    first, second = _compared(reasons)
    lead = {part: shares[first] - shares[second] for part, shares in reasons.parts.items()}
    rows = {name: [part for part in lead if part.endswith(end)] for name, end in _ROWS.items()}
    rows |= {part: [part] for part in lead if not part.endswith(tuple(_ROWS.values()))}
    parts = [(name, {part: lead[part] for part in row}) for name, row in rows.items() if row]
    yield _Bars(f"{fitted(first, 1.4)} before {fitted(second, 1.4)}: {sum(lead.values()):+.2f} in all", parts)
    if reasons.support:
        clips = _strongest(reasons.support, first, second)
        yield _Bars("support clips that say most", [(shortened(file_name(name)), shares) for name, shares in clips])
    if reasons.sentences:
        words = _strongest(_above_average(reasons.sentences), first, second)
        yield _Bars(
            "explanations that say most, more than the average one",
            [(shortened(name), shares) for name, shares in words],
        )


def _strongest(given: Sequence[Share], first: Value, second: Value) -> list[tuple[str, Mapping[str, float]]]:
    """The strongest shares of both classes; shares of the second class change their sign."""
    return [
        (share.name, {part: sign * each for part, each in share.parts.items()})
        for label, sign in ((first, 1), (second, -1))
        for share in [share for share in given if share.label == label][:_STRONGEST]
    ]


def _above_average(sentences: Sequence[Share]) -> list[Share]:
    """Shares minus the mean over all explanations.

    Classes have equal numbers of explanations, so the difference between two classes stays the same.
    """
    mean = {part: np.mean([share.parts[part] for share in sentences]) for part in sentences[0].parts}
    return [
        replace(share, parts={part: float(each - mean[part]) for part, each in share.parts.items()})
        for share in sentences
    ]


def _grain(part: str) -> str:
    return next(grain for grain in _GRAINS if part.startswith(grain))


def _bars(axes: Axes, panel: _Bars) -> None:
    shown = {_grain(part) for _, row in panel.rows for part in row}
    grains = [grain for grain in _GRAINS if grain in shown]
    height = 0.8 / len(grains)
    for number, grain in enumerate(grains):
        found = [
            (place, share)
            for place, (_, row) in enumerate(panel.rows)
            for part, share in row.items()
            if _grain(part) == grain
        ]
        places, widths = zip(*found, strict=True)
        offset = (number + 0.5) * height - 0.4
        drawn = axes.barh(np.array(places) + offset, widths, height, **_GRAINS[grain])
        axes.bar_label(drawn, fmt="%+.2f", fontsize=6, padding=2)
    most = 1.15 * max(abs(share) for _, row in panel.rows for share in row.values()) or 1.0
    axes.set_xlim(-most, most)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.set_yticks(range(len(panel.rows)), [name for name, _ in panel.rows], fontsize=ROW)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_title(panel.title, fontsize=9, loc="left")

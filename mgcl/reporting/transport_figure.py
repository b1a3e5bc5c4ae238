"""One query clip as a picture: its spectrogram, and what its segments were matched with (MGCL Eq. 17-19)."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib import mlab
from matplotlib.axes import Axes

from mgcl.records import ExplainedClip
from mgcl.reporting.drawing import canvas, finish
from mgcl.reporting.figure import Figure

_PART = "fine_contrast: "
_SAMPLE_RATE = 16000
_WINDOW = 512
_RANGE = 80  # dB


@dataclass(frozen=True)
class Material:
    """What a picture shows of a data set that no run keeps; without it the picture does without."""

    explanations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Label -> its sentences, in the bank's order."""
    audio: Mapping[str, Path] = field(default_factory=dict)
    """Clip id -> its file."""


def has_plans(clip: ExplainedClip) -> bool:
    """Whether its segments were matched with explanations."""
    return any(name.startswith(_PART) for name in clip.plans)


def transport(where: str, clip: ExplainedClip, material: Material) -> Figure:
    """The plan to the explanations of the true and of the answered class, under the clip's spectrogram.

    Args:
        where: which trial the clip is of, in words.
        clip: that ``has_plans``.
        material: the sentences, and the clip's file, if they are at hand.

    Raises:
        DataError: the clip's file cannot be decoded.
    """
    plans = {label: np.array(clip.plans[_PART + label]).T for label in dict.fromkeys((clip.label, clip.predicted))}
    file = material.audio.get(clip.clip_id)
    heights = ([8] if file else []) + [len(plan) + 2 for plan in plans.values()]
    drawn = canvas(9, 0.7 + 0.21 * sum(heights))
    panels = drawn.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    end = clip.segment_times[-1] + clip.segment_times[0]
    if file:
        _spectrogram(panels[0], file, clip.clip_id, end)
    shares = [plan * plan.size for plan in plans.values()]  # a uniform plan is 1 everywhere
    least, most = min(each.min() for each in shares), max(each.max() for each in shares)
    for axes, label, share in zip(panels[-len(plans) :], plans, shares, strict=True):
        extent = (0, end, len(share) - 0.5, -0.5)
        image = axes.imshow(share, cmap="cividis", vmin=least, vmax=most, aspect="auto", extent=extent)
        axes.set_yticks(range(len(share)), _sentences(material.explanations.get(label, ()), len(share)), fontsize=7)
        axes.set_title(f"{label} ({_role(label, clip)})", fontsize=9, loc="left")
    panels[-1].set_xlabel("time (s)")
    drawn.colorbar(image, ax=list(panels[-len(plans) :]), label="× uniform plan")
    above = "" if file else " Its sound was not at hand: no spectrogram."
    caption = (
        f"{where}, query clip {clip.clip_id}: how the fine contrast's transport plan matches its segments (columns) "
        f"with a class's explanations (rows).{above}"
    )
    return finish("transport", caption, drawn)


def _role(label: str, clip: ExplainedClip) -> str:
    if clip.label == clip.predicted:
        return "true and answered"
    return "true" if label == clip.label else "answered"


def _sentences(known: Sequence[str], count: int) -> list[str]:
    """The first so many, as ``full`` takes them; numbers where they are not known."""
    if len(known) < count:
        return [str(number) for number in range(1, count + 1)]
    return [textwrap.shorten(sentence, 48, placeholder=" ...") for sentence in known[:count]]


def _spectrogram(axes: Axes, file: Path, clip_id: str, seconds: float) -> None:
    from mgcl.data.audio import load_clip

    samples = load_clip(file, clip_id=clip_id, sample_rate=_SAMPLE_RATE, seconds=seconds)
    power, _, _ = mlab.specgram(samples, NFFT=_WINDOW, noverlap=_WINDOW // 2, Fs=_SAMPLE_RATE)
    decibels = 10 * np.log10(np.maximum(power, 1e-14))  # digital silence has none
    extent = (0, seconds, 0, _SAMPLE_RATE / 2000)
    axes.imshow(decibels, cmap="cividis", vmin=decibels.max() - _RANGE, origin="lower", aspect="auto", extent=extent)
    axes.set_ylabel("frequency (kHz)")

"""Drawing of a clip over time: its spectrogram, and below it the transport plans of its segments (MGCL Eq. 17-19)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import mlab
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from mgcl.reporting.drawing import canvas
from mgcl.reporting.lettering import fitted

_WINDOW = 512
_RANGE = 80  # dB below the loudest point
ROW = 7
"""Font size of the rows' names, in points."""


class Excerpt(NamedTuple):
    """Audio of a clip."""

    waveform: NDArray[np.float32]
    """Mono samples, shape (samples,)."""
    sample_rate: int
    """Sampling rate in Hz."""


class Panel(NamedTuple):
    """One class's transport plan."""

    title: str
    plan: NDArray[np.float64]
    """Transport plan, shape (explanations, segments)."""
    explanations: Sequence[str]
    """Labels of the plan's rows, one per explanation."""


class Shade(NamedTuple):
    """How the values of panels become colours."""

    label: str
    cmap: str
    signed: bool
    """Whether the middle colour is zero."""


OF_PLANS = Shade("× uniform plan", "cividis", signed=False)


def over_time(sound: Excerpt | None, panels: Sequence[Panel], seconds: float, shade: Shade = OF_PLANS) -> Canvas:
    """Draw the spectrogram and the plans one below another over the same time axis.

    Args:
        sound: audio of the clip; None: no spectrogram, then ``panels`` must not be empty.
        panels: plans to draw, in order.
        seconds: length of the time axis.
        shade: colours of the plans. Transport plans are drawn in multiples of the uniform plan, all else as it is.
    """
    heights = ([8] if sound else []) + [len(panel.plan) + 2 for panel in panels]
    drawn = canvas(9, 0.7 + 0.21 * sum(heights))
    axes = list(drawn.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    axes[-1].set_xlabel("time (s)")
    if sound:
        _spectrogram(axes[0], sound, seconds)
    if panels:
        _plans(drawn, axes[-len(panels) :], panels, seconds, shade)
    return drawn


def shortened(sentence: str) -> str:
    """Shorten a sentence to fit beside a picture."""
    return fitted(sentence, 3.2, ROW)


def _plans(drawn: Canvas, places: list[Axes], panels: Sequence[Panel], seconds: float, shade: Shade) -> None:
    # a uniform plan is 1 everywhere
    shares = [panel.plan * panel.plan.size if shade is OF_PLANS else panel.plan for panel in panels]
    least, most = min(each.min() for each in shares), max(each.max() for each in shares)
    if shade.signed:
        least, most = -max(-least, most), max(-least, most)
    for axes, panel, share in zip(places, panels, shares, strict=True):
        extent = (0, seconds, len(share) - 0.5, -0.5)
        image = axes.imshow(share, cmap=shade.cmap, vmin=least, vmax=most, aspect="auto", extent=extent)
        axes.set_yticks(range(len(share)), panel.explanations, fontsize=ROW)
        axes.set_title(panel.title, fontsize=9, loc="left")
    drawn.colorbar(image, ax=places, label=shade.label)


def _spectrogram(axes: Axes, sound: Excerpt, seconds: float) -> None:
    rate = sound.sample_rate
    power, _, _ = mlab.specgram(sound.waveform, NFFT=_WINDOW, noverlap=_WINDOW // 2, Fs=rate)
    decibels = 10 * np.log10(np.maximum(power, 1e-14))  # digital silence has no logarithm
    extent = (0, seconds, 0, rate / 2000)
    axes.imshow(decibels, cmap="cividis", vmin=decibels.max() - _RANGE, origin="lower", aspect="auto", extent=extent)
    axes.set_ylabel("frequency (kHz)")

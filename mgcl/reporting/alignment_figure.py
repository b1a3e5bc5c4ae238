"""Picture of how a clip's frames and a sentence's words meet over a codebook (MGA-CLAP, Li et al. 2024)."""

import numpy as np
from matplotlib import style

from mgcl.details import Alignment
from mgcl.reporting.drawing import STYLE, finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted
from mgcl.reporting.plan_drawing import Excerpt, Panel, Shade, over_time, shortened

_SHADE = Shade("hundredths of the cosine", "PuOr_r", signed=True)


def alignment(where: str, of: Alignment, sound: Excerpt | None, seconds: float) -> Figure:
    """Draw the clip's spectrogram above the shares of frames and words, and of frames and codewords.

    Args:
        where: which clip, in words, for the caption.
        of: the cosine's shares.
        sound: audio of the clip; None: no spectrogram.
        seconds: length of the clip.
    """
    panels = [Panel("words", np.array(of.shares, dtype=np.float64) * 100.0, [*map(shortened, of.words)])]
    if of.codewords:
        rows = [f"codeword {each}" for each in of.codewords]
        panels.append(
            Panel("codewords with the largest shares", np.array(of.codeword_shares, dtype=np.float64) * 100.0, rows)
        )
    over = " over the codebook" if of.codewords else ""
    caption = (
        f"{where}: how its frames (columns) meet the words of “{fitted(of.sentence, 8)}” (rows){over}. The words' "
        f"shares add up to the cosine of both, {of.cosine:.2f}."
    )
    with style.context(["default", STYLE]):
        return finish("alignment", caption, over_time(sound, panels, seconds, _SHADE))

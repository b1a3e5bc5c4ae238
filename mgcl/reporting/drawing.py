"""Drawing shared by all pictures: style, lines, and rendering to svg and png. The same numbers give the same bytes."""

import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text
from PIL import Image

from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import SIZE, unmeasured
from mgcl.reporting.statistics import Estimate

STYLE = {
    "svg.hashsalt": "mgcl",  # svg ids are hashes, with a random salt unless one is given
    "text.parse_math": False,  # a class name may contain a dollar sign
    "text.hinting": "none",  # hinted letters are wider than the svg's, which the layout made room for
    "font.size": SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""Settings that differ from matplotlib's default style."""


class Look(NamedTuple):
    """Look of one line; colour, marker and dashes each suffice to tell it from the others."""

    color: str
    marker: str
    linestyle: Any


# The colours of Okabe and Ito (2008), without yellow, which is lost on white; black comes first.
LOOKS = (
    Look("#000000", "o", "-"),
    Look("#E69F00", "s", "--"),
    Look("#56B4E9", "^", "-."),
    Look("#009E73", "D", ":"),
    Look("#D55E00", "v", (0, (5, 1))),
    Look("#0072B2", "P", (0, (3, 1, 1, 1, 1, 1))),
    Look("#CC79A7", "X", (0, (1, 1))),
)


def canvas(width: float, height: float) -> Canvas:
    """Empty picture, ``width`` x ``height`` inches, whose layout makes room for its labels."""
    return Canvas(figsize=(width, height), layout="constrained")


def band(axes: Axes, look: Look, label: str, points: Mapping[int, Estimate], factor: float) -> None:
    """Draw a line with its interval as a band, both multiplied by ``factor``; a NaN half-width draws no band."""
    x, mean = sorted(points), [factor * points[each].mean for each in sorted(points)]
    spread = [factor * points[each].half_width for each in x]
    axes.plot(x, mean, label=label, markersize=5, **look._asdict())
    low, high = ([m + sign * h for m, h in zip(mean, spread, strict=True)] for sign in (-1, 1))
    axes.fill_between(x, low, high, color=look.color, alpha=0.12, linewidth=0)


def finish(name: str, caption: str, drawn: Canvas) -> Figure:
    """Render a picture as svg, with letters as paths, and as png at 110 dots per inch.

    If matplotlib's own font lacks a letter (e.g. a Chinese one), the svg keeps text as text, for the viewer's fonts.
    """
    svg, png = io.StringIO(), io.BytesIO()
    _make_room_for_any_script(drawn)
    with _any_script(drawn):
        paths: Any = FigureCanvasSVG(drawn)  # savefig would draw everything twice
        paths.print_svg(svg, metadata={"Date": None, "Creator": None})
        drawn.set_layout_engine("none")  # the svg was laid out already; a second layout would repeat the work
        drawn.set_dpi(110)
        dots: Any = FigureCanvasAgg(drawn)
        dots.print_png(png, metadata={"Software": None})
    return Figure(name, caption, svg.getvalue(), palette(png.getvalue()))


def palette(png: bytes) -> bytes:
    """Reduce a png to 256 colours, which makes it a third as large."""
    reduced = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        reduced, "png", optimize=True
    )
    return reduced.getvalue()


def _make_room_for_any_script(drawn: Canvas) -> None:
    """Widen the left and lower margins for labels with letters that matplotlib's font lacks and so mismeasures."""
    left, below = (
        max(
            (unmeasured(each.get_text(), float(each.get_fontsize())) for axes in drawn.axes for each in of(axes)),
            default=0.0,
        )
        for of in (Axes.get_yticklabels, Axes.get_xticklabels)
    )
    x, y = left / drawn.get_figwidth(), below / drawn.get_figheight()
    layout: Any = drawn.get_layout_engine()
    layout.set(rect=(x, y, 1 - x, 1 - y))


@contextmanager
def _any_script(drawn: Canvas) -> Iterator[None]:
    """Keep the svg's text as text while the picture has letters that matplotlib's font lacks."""
    shapes = get_font(findfont(FontProperties())).get_charmap()
    words: Iterable[Any] = drawn.findobj(Text)
    if all(ord(letter) in shapes or letter == "\n" for each in words for letter in each.get_text()):
        yield
        return
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield

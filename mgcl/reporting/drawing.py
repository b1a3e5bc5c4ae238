"""What every picture shares: its size, its lines, and how it becomes a file. The same numbers give the same bytes."""

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
    "svg.hashsalt": "mgcl",  # ids are hashes, of a random salt if none is given
    "text.parse_math": False,  # a class may have a dollar in its name
    "text.hinting": "none",  # hinted letters are wider than the svg's, which the layout made room for
    "font.size": SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""What differs from matplotlib's default style."""


class Look(NamedTuple):
    """Of one line: colour, marker and dashes each tell it from the others."""

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
    """An empty picture that makes room for its labels; inches."""
    return Canvas(figsize=(width, height), layout="constrained")


def band(axes: Axes, look: Look, label: str, points: Mapping[int, Estimate], factor: float) -> None:
    """A line with its interval, times a factor; an estimate without an interval draws none."""
    x, mean = sorted(points), [factor * points[each].mean for each in sorted(points)]
    spread = [factor * points[each].half_width for each in x]
    axes.plot(x, mean, label=label, markersize=5, **look._asdict())
    low, high = ([m + sign * h for m, h in zip(mean, spread, strict=True)] for sign in (-1, 1))
    axes.fill_between(x, low, high, color=look.color, alpha=0.12, linewidth=0)


def finish(name: str, caption: str, drawn: Canvas) -> Figure:
    """The picture as svg, its fonts as paths, and as png of 110 dots per inch.

    Where matplotlib's own font lacks a letter (Chinese, say), the svg's text is left to the reader's fonts.
    """
    svg, png = io.StringIO(), io.BytesIO()
    _make_room_for_any_script(drawn)
    with _any_script(drawn):
        paths: Any = FigureCanvasSVG(drawn)  # savefig would draw everything twice
        paths.print_svg(svg, metadata={"Date": None, "Creator": None})
        drawn.set_layout_engine("none")  # it is laid out
        drawn.set_dpi(110)
        dots: Any = FigureCanvasAgg(drawn)
        dots.print_png(png, metadata={"Software": None})
    return Figure(name, caption, svg.getvalue(), palette(png.getvalue()))


def palette(png: bytes) -> bytes:
    """A png in 256 colours, which is a third as large."""
    reduced = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        reduced, "png", optimize=True
    )
    return reduced.getvalue()


def _make_room_for_any_script(drawn: Canvas) -> None:
    """At the left of the rows' names, and below those of columns that are turned."""
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
    """Text stays text where the font has no shapes for it."""
    shapes = get_font(findfont(FontProperties())).get_charmap()
    words: Iterable[Any] = drawn.findobj(Text)
    if all(ord(letter) in shapes or letter == "\n" for each in words for letter in each.get_text()):
        yield
        return
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield

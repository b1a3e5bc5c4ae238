"""Fitting text into a picture: it is measured as drawn, then shortened or wrapped. Widths are in inches."""

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

SIZE = 9
"""Default size of text, in points."""
_FONT = "DejaVu Sans"
_BOX = 0.6  # width of the box that matplotlib draws for a missing letter, as a share of the letter's height
_POINTS = 72
_WORD = 0.6  # share of the shortened text that must remain for a cut at a word


def width(text: str, size: float = SIZE) -> float:
    """Width of one line of text, in inches. Letters that the font lacks count as square, as Chinese ones are."""
    known = _known(text)
    measured, _, _ = text_to_path.get_text_width_height_descent(known, FontProperties(family=_FONT, size=size), False)
    return float(measured + size * (len(text) - len(known))) / _POINTS


def unmeasured(text: str, size: float = SIZE) -> float:
    """Difference between ``width`` and matplotlib's own measure, in inches.

    Matplotlib measures a box, narrower than the letter, for each letter that its font lacks.
    """
    return size * (1 - _BOX) * (len(text) - len(_known(text))) / _POINTS


def _known(text: str) -> str:
    shapes = get_font(findfont(FontProperties(family=_FONT))).get_charmap()
    return "".join(letter for letter in text if ord(letter) in shapes)


def fitted(text: object, inches: float, size: float = SIZE) -> str:
    """Put a text on one line of at most ``inches``; a longer one is cut, if possible between words, with an ellipsis.

    >>> fitted("Rain falls on the roof of a car.", 1.0)
    'Rain falls on…'
    """
    line = " ".join(str(text).split())
    if width(line, size) <= inches:
        return line
    fits, too_long = 0, len(line)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if width(f"{line[:middle]}…", size) <= inches:
            fits = middle
        else:
            too_long = middle
    at_a_word = line.rfind(" ", 0, fits + 1)
    return f"{line[: at_a_word if at_a_word >= _WORD * fits else fits].rstrip()}…"


def wrapped(text: object, inches: float, size: float = SIZE, lines: int = 2) -> str:
    r"""Wrap a text to at most ``lines`` lines of ``inches``; each line that is still too wide is ``fitted``.

    >>> wrapped("Rain falls on the roof of a car.", 1)
    'Rain falls on\nthe roof of a…'
    """
    first, *rest = str(text).split() or [""]
    while rest and width(f"{first} {rest[0]}", size) <= inches:
        first = f"{first} {rest.pop(0)}"
    if lines < 2 or not rest:
        return fitted(" ".join([first, *rest]), inches, size)
    return f"{fitted(first, inches, size)}\n{wrapped(' '.join(rest), inches, size, lines - 1)}"

"""The part of a clip that the protocol of a data set lets a model embed."""

from dataclasses import dataclass
from typing import Any, Literal

from mgcl.errors import DataError


@dataclass(frozen=True)
class Window:
    """The part of a clip that a data set's protocol lets a model see."""

    seconds: float
    short: Literal["repeat", "zeros"] = "repeat"
    """What fills a shorter clip: the clip again, or silence at its end."""
    long: Literal["random", "first"] = "random"
    """What is taken of a longer clip: a stretch seeded by the clip's id, or its beginning."""

    @property
    def fault(self) -> str:
        """What is wrong with the values, and what to do; empty: nothing."""
        if not 0 < self.seconds < float("inf"):
            return f"window.seconds is {self.seconds}; it must be positive"
        for name, value, known in (
            ("short", self.short, ("repeat", "zeros")),
            ("long", self.long, ("random", "first")),
        ):
            if value not in known:
                return f"window.{name} is {value!r}; it is one of {', '.join(known)}"
        return ""


def parse_window(text: str) -> Window:
    """Parse seconds, what fills shorter clips, and what is taken of longer ones.

    >>> parse_window("10,zeros,first")
    Window(seconds=10.0, short='zeros', long='first')

    Raises:
        DataError: the text has another form.
    """
    parts: list[Any] = [part.strip() for part in text.split(",")]
    try:
        seconds, short, long = parts
        window = Window(float(seconds), short, long)
    except ValueError:
        window = Window(0)
    if window.fault:
        raise DataError(f"`window` {text}: write SECONDS,repeat|zeros,random|first, e.g. 10,zeros,first")
    return window

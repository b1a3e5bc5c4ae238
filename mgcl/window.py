"""The part of a clip that the protocol of a data set lets a model embed."""

from dataclasses import dataclass
from typing import Literal


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

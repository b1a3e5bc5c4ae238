"""What a backbone's published weights were trained on that a data set shares: its recordings, or its training part.

``overlaps.csv`` has one line per training set and data set, with its source. Weights and data sets that it does not
have are unknown, not free of overlap.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Overlap:
    """A training set of a backbone's weights that shares something with a data set."""

    training: str
    """The training set."""
    what: str
    """What it shares with the data set, as a clause."""
    source: str

    def __str__(self) -> str:
        return f"its weights were trained on {self.training}: {self.what} ({self.source})"


def overlaps(backbone: str, dataset: str) -> tuple[Overlap, ...]:
    """Known overlaps of a backbone's training data with a data set.

    Args:
        backbone: name of the backbone and its weights, as a bank records it.
        dataset: name of the data set in any spelling; ESC-50 is esc50.

    >>> [each.training for each in overlaps("ms_clap CLAP_weights_2022.pth", "Clotho")]
    ['Clotho']
    >>> overlaps("tiny", "soundscapes")
    ()
    """
    name = re.sub(r"[^a-z0-9_]", "", dataset.lower())
    return tuple(
        Overlap(line["training"], line["what"], line["source"])
        for line in _lines()
        if re.match(line["backbone"], backbone, re.IGNORECASE) and re.fullmatch(line["dataset"], name)
    )


@cache
def _lines() -> tuple[dict[str, str], ...]:
    with files("mgcl").joinpath("overlaps.csv").open(encoding="utf-8") as file:
        return tuple(csv.DictReader(file))

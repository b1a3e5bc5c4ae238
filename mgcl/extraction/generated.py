"""Banks of generated data sets: what a sweep runs on if it is given none."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from mgcl.extraction.embedded import embedded_sounds
from mgcl.features.bank import FeatureBank

SOUNDSCAPES, SCENES = "soundscapes", "scenes"

_BANKS = {
    SOUNDSCAPES: ("mgcl.extraction.embedded", "embedded_bank"),
    SCENES: ("mgcl.extraction.embedded_scenes", "embedded_scenes_bank"),
}
"""Data set -> module and function that opens its bank."""


def generated_bank(dataset: str, home: Path, *, make: bool = True) -> FeatureBank:
    """Open the bank of a generated data set, and make it first if it is missing.

    Args:
        dataset: SOUNDSCAPES or SCENES.
        home: folder of the data set and of the bank.
        make: whether to make a missing bank.

    Raises:
        BankError: the bank is missing, and ``make`` is False.
    """
    module, function = _BANKS[dataset]
    opened: Callable[..., FeatureBank] = getattr(import_module(module), function)
    return opened(home, make=make)


def sounds_of(dataset: str, home: Path) -> Path | None:
    """Folder of a generated data set's sound files. None: it does not exist, or its clips are videos."""
    return embedded_sounds(home) if dataset == SOUNDSCAPES else None

"""Banks of generated data sets: what a sweep runs on if it is given none."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mgcl.extraction.embedded import embedded_bank, embedded_set, embedded_sounds
from mgcl.extraction.embedded_scenes import embedded_scenes_bank
from mgcl.features.bank import FeatureBank

SOUNDSCAPES, SCENES = "soundscapes", "scenes"
SETS = "soundscape_events", "soundscape_tags", "soundscape_captions", "soundscape_phrases"
"""Sets for zero-shot tasks."""
_OPENED: dict[str, Callable[..., FeatureBank]] = {
    SOUNDSCAPES: embedded_bank,
    SCENES: embedded_scenes_bank,
    **{name: partial(embedded_set, name) for name in SETS},
}


def generated_bank(dataset: str, home: Path, *, make: bool = True) -> FeatureBank:
    """Open the bank of a generated data set, and make it first if it is missing.

    Args:
        dataset: SOUNDSCAPES, SCENES, or one of SETS.
        home: folder of the data set and of the bank.
        make: whether to make a missing bank.

    Raises:
        BankError: the bank is missing, and ``make`` is False.
    """
    return _OPENED[dataset](home, make=make)


def sounds_of(dataset: str, home: Path) -> Path | None:
    """Folder of a generated data set's sound files. None: it does not exist, or its clips are videos."""
    return embedded_sounds(dataset, home) if dataset != SCENES else None

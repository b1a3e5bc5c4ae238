"""Banks that every installation can make without downloads: generated soundscapes, embedded by the tiny backbone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from mgcl.catalogue import load
from mgcl.data.soundscapes import CLIPS
from mgcl.data.soundscapes.recipes import VERSION
from mgcl.data.soundscapes.sets import VERSION as SETS_VERSION
from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank
from mgcl.language.prompt_sets import PROMPT_SETS

if TYPE_CHECKING:
    from mgcl.data.dataset import Dataset


def embedded_bank(home: Path, *, make: bool = True) -> FeatureBank:
    """Open the bank, and make it first if it is missing. Its name contains the versions of the data set and weights.

    Args:
        home: folder of the data set (``home/data``) and of the bank (``home/banks``).
        make: whether to make a missing bank.

    Raises:
        BankError: the bank is missing, and ``make`` is False.
    """
    return _opened(home, _named("soundscapes"), make_bank, make=make)


def embedded_set(dataset: str, home: Path, *, make: bool = True) -> FeatureBank:
    """Open the bank of a generated set for zero-shot tasks, and make it first if it is missing; see ``embedded_bank``.

    Args:
        dataset: "soundscape_events", "soundscape_tags", "soundscape_captions" or "soundscape_phrases".
        home: as in ``embedded_bank``.
        make: as in ``embedded_bank``.

    Raises:
        BankError: the bank is missing, and ``make`` is False.
    """

    def make_set(data: Path, bank: Path) -> None:
        _embed(load("dataset", dataset).generate(data, workers=_workers()), bank, tuple(PROMPT_SETS))

    return _opened(home, _named(dataset), make_set, make=make)


def _opened(home: Path, name: str, make_bank: Callable[[Path, Path], None], *, make: bool) -> FeatureBank:
    weights = hashlib.sha256(files("mgcl.backbones").joinpath("tiny_weights", "model.safetensors").read_bytes())
    bank = home / "banks" / f"{name}-tiny-{weights.hexdigest()[:8]}"
    if not (make or bank.is_dir()):
        raise BankError(f"{bank}: not there yet; a first run without --plan makes it")
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "embedded.lock"):
        if not bank.is_dir():
            make_bank(home / "data" / name, bank)
    return FeatureBank.open(bank)


def embedded_sounds(dataset: str, home: Path) -> Path | None:
    """Return the folder of the generated soundscapes, or of a set for zero-shot tasks. None: it does not exist."""
    root = home / "data" / _named(dataset)
    return root if root.is_dir() else None


def _named(dataset: str) -> str:
    return f"{dataset}-{VERSION if dataset == 'soundscapes' else SETS_VERSION}"


def make_bank(data: Path, bank: Path, *, clips: int = CLIPS) -> None:
    """Generate soundscapes, and embed them with the tiny backbone.

    Args:
        data: folder of the soundscapes; existing ones are reused.
        bank: folder of the bank; must not exist.
        clips: number of clips per class.
    """
    from mgcl.data import soundscapes

    _embed(soundscapes.generate(data, clips=clips, workers=_workers()), bank)


def _embed(dataset: Dataset, bank: Path, prompt_sets: Sequence[str] = ()) -> None:
    from mgcl.backbones import tiny
    from mgcl.extraction.extract import extract
    from mgcl.extraction.texts import Texts

    backbone = tiny.load(str(tiny.SHIPPED))  # the bank is named after these weights
    extract(dataset, backbone, bank, texts=Texts.of(dataset, backbone).with_prompt_sets(prompt_sets))


def _workers() -> int:
    from joblib import cpu_count

    return int(cpu_count())

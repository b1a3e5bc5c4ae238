"""The bank that every installation can make by itself: generated soundscapes, embedded by the tiny backbone."""

import hashlib
from importlib.resources import files
from pathlib import Path

from filelock import FileLock

from mgcl.data.soundscapes import CLIPS
from mgcl.data.soundscapes.recipes import VERSION
from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank


def embedded_bank(home: Path, *, make: bool = True) -> FeatureBank:
    """Open the bank; make it first if it is not there. Its name holds the versions of data set and weights.

    Args:
        home: the data set goes to ``home/data``, the bank to ``home/banks``.
        make: False refuses instead.

    Raises:
        BankError: it is not there, and shall not be made.
    """
    weights = hashlib.sha256(files("mgcl.backbones").joinpath("tiny_weights", "model.safetensors").read_bytes())
    name = f"soundscapes-{VERSION}"
    bank = home / "banks" / f"{name}-tiny-{weights.hexdigest()[:8]}"
    if not (make or bank.is_dir()):
        raise BankError(f"{bank}: not there yet; a first run without --plan makes it")
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "embedded.lock"):
        if not bank.is_dir():
            make_bank(home / "data" / name, bank)
    return FeatureBank.open(bank)


def embedded_sounds(home: Path) -> Path | None:
    """Where its sounds lie; None: they are not there any more."""
    root = home / "data" / f"soundscapes-{VERSION}"
    return root if root.is_dir() else None


def make_bank(data: Path, bank: Path, *, clips: int = CLIPS) -> None:
    """Generate soundscapes, and embed them with the tiny backbone.

    Args:
        data: where the sounds go; kept if they are there.
        bank: the folder to make.
        clips: per class.
    """
    from joblib import cpu_count

    from mgcl.backbones import tiny
    from mgcl.data import soundscapes
    from mgcl.extraction.extract import extract

    extract(soundscapes.generate(data, clips=clips, workers=cpu_count()), tiny.load(), bank)

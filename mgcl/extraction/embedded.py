"""The bank that every installation can make without downloads: generated soundscapes, embedded by the tiny backbone."""

import hashlib
from importlib.resources import files
from pathlib import Path

from filelock import FileLock

from mgcl.data.soundscapes import CLIPS
from mgcl.data.soundscapes.recipes import VERSION
from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank


def embedded_bank(home: Path, *, make: bool = True) -> FeatureBank:
    """Open the bank, and make it first if it is missing. Its name contains the versions of the data set and weights.

    Args:
        home: folder of the data set (``home/data``) and of the bank (``home/banks``).
        make: whether to make a missing bank.

    Raises:
        BankError: the bank is missing, and ``make`` is False.
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
    """Return the folder of the generated soundscapes. None: it does not exist."""
    root = home / "data" / f"soundscapes-{VERSION}"
    return root if root.is_dir() else None


def make_bank(data: Path, bank: Path, *, clips: int = CLIPS) -> None:
    """Generate soundscapes, and embed them with the tiny backbone.

    Args:
        data: folder of the soundscapes; existing ones are reused.
        bank: folder of the bank; must not exist.
        clips: number of clips per class.
    """
    from joblib import cpu_count

    from mgcl.backbones import tiny
    from mgcl.data import soundscapes
    from mgcl.extraction.extract import extract

    extract(soundscapes.generate(data, clips=clips, workers=cpu_count()), tiny.load(), bank)

"""Sounds of a model's clips, kept in the model's folder so that a page of reasons can play them."""

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import soundfile

from mgcl.classifier.sounds import Sound
from mgcl.files import replacing

_FOLDER = "sounds"


def keep(folder: Path, sounds: Iterable[Sound], sample_rate: int) -> None:
    """Write sounds as flac, as the backbone hears them; those that are there already are left as they are.

    Args:
        folder: folder of the model.
        sounds: sounds with a digest.
        sample_rate: sample rate of the sounds, in Hz.
    """
    (folder / _FOLDER).mkdir(exist_ok=True)
    for sound in sounds:
        file = _file(folder, sound.digest)
        if not file.exists():
            most = max(1.0, float(np.abs(sound.waveform).max()))
            with replacing(file) as draft:
                soundfile.write(draft, sound.waveform / most, sample_rate, format="FLAC", subtype="PCM_16")


def forget(folder: Path, known: Collection[str]) -> None:
    """Remove the sounds of clips that the model does not hold any more.

    Args:
        folder: folder of the model.
        known: digests of the clips that it holds.
    """
    kept = {_file(folder, digest) for digest in known}
    for file in (folder / _FOLDER).glob("*.flac"):
        if file not in kept:
            file.unlink()


def kept(folder: Path, digest: str) -> bytes | None:
    """A sound as a flac file; None: it was not kept."""
    file = _file(folder, digest)
    return file.read_bytes() if file.is_file() else None


def _file(folder: Path, digest: str) -> Path:
    return folder / _FOLDER / f"{digest}.flac"

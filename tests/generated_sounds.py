"""Clips of a few kinds of sound that the tiny backbone tells apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import chirp

RATE = 16000
KINDS = ("hum", "hiss", "beeps", "siren")


def write_sounds(folder: Path, kinds: Sequence[str] = KINDS, *, clips: int, first: int = 0) -> dict[str, list[Path]]:
    """Write clips of two seconds, a sub-folder a kind; each is different.

    Args:
        folder: to write to.
        kinds: of ``KINDS``.
        clips: a kind.
        first: number of the first.
    """
    found = {}
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        found[kind] = [folder / kind / f"{kind}-{number}.wav" for number in range(first, first + clips)]
        for number, path in enumerate(found[kind], start=first):
            soundfile.write(path, waveform(kind, number), RATE)
    return found


def waveform(kind: str, number: int, seconds: float = 2.0) -> NDArray[np.float32]:
    """One clip, shape (samples,), in -1..1."""
    random = np.random.default_rng([KINDS.index(kind), number])
    time, pitch = np.arange(round(seconds * RATE)) / RATE, random.uniform(0.9, 1.1)
    sound = {
        "hum": lambda: sum(np.sin(2 * np.pi * 100 * pitch * each * time) / each for each in (1, 2, 3)) / 3,
        "hiss": lambda: random.normal(size=len(time)) / 5,
        "beeps": lambda: np.sin(2 * np.pi * 2500 * pitch * time) * (time % 0.4 < 0.1) / 2,
        "siren": lambda: chirp(time % 1, 500 * pitch, 1, 1500 * pitch) / 2,
    }[kind]()
    return (sound + random.normal(size=len(time)) / 100).astype(np.float32)

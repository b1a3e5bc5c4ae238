"""Long generated recordings with known events: sounds of the soundscapes' classes in noise, with pauses."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from scipy.optimize import linear_sum_assignment
from scipy.signal import lfilter

from mgcl.data.soundscapes.recipes import Recipe
from mgcl.data.soundscapes.scene import draw_layer
from mgcl.data.soundscapes.sources import SAMPLE_RATE
from mgcl.events import Event

_BLOCK = 60 * SAMPLE_RATE
_PAUSE = 1.5
"""Least pause between two events, in seconds."""


def write_recording(
    path: Path, recipes: Sequence[Recipe], *, events: int, seconds: float, random: np.random.Generator
) -> list[Event]:
    """Write a recording block by block, and return its events by onset: as many of every recipe, in random order."""
    order = random.permutation(np.arange(events) % len(recipes))
    sounds = [_one(recipes[row], random) for row in order]
    spare = seconds - sum(len(sound) for sound in sounds) / SAMPLE_RATE - _PAUSE * (events + 1)
    pauses = _PAUSE + spare * random.dirichlet(np.ones(events + 1))[:-1]
    lengths = np.array([len(sound) / SAMPLE_RATE for sound in sounds])
    onsets = np.cumsum(pauses) + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    found = [
        Event(float(onset), float(onset + length), recipes[row].label)
        for row, onset, length in zip(order, onsets, lengths, strict=True)
    ]
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
        first = 0
        for block in _noise(round(seconds * SAMPLE_RATE), random):
            for onset, sound in zip(onsets, sounds, strict=True):
                _add(block, sound, round(onset * SAMPLE_RATE) - first)
            file.write(block)
            first += len(block)
    return found


def background(events: Sequence[Event], seconds: float, count: int) -> list[Event]:
    """The longest pauses between events, as events of a class "background"."""
    edges = [(0.0, 0.0), *((event.onset, event.offset) for event in events), (seconds, seconds)]
    pauses = [(end, start) for (_, end), (start, _) in pairwise(edges)]
    longest = sorted(pauses, key=lambda pause: pause[0] - pause[1])[:count]
    return [Event(start + 0.3, min(end - 0.3, start + 5.3), "background") for start, end in longest]


def hits(found: Sequence[Event], true: Sequence[Event], *, collar: float, offsets: bool) -> int:
    """Greatest number of pairs of a found and a true event of one class whose onsets are within the collar.

    With ``offsets`` those too: within the collar, or a fifth of the true event's length if that is more (Mesaros et al.
    2016).
    """
    pairs = np.zeros((len(found), len(true)))
    for row, one in enumerate(found):
        for column, other in enumerate(true):
            late = abs(one.offset - other.offset) <= max(collar, (other.offset - other.onset) / 5)
            near = abs(one.onset - other.onset) <= collar and (late or not offsets)
            pairs[row, column] = one.label == other.label and near
    return int(pairs[linear_sum_assignment(-pairs)].sum())


def f1(found: Sequence[Event], true: Sequence[Event], *, collar: float = 0.5, offsets: bool = True) -> float:
    """Event F1, in 0..1."""
    return 2 * hits(found, true, collar=collar, offsets=offsets) / max(len(found) + len(true), 1)


def _one(recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """The sounding part of a recipe's five seconds, at 0 to 12 dB over noise of level 0.05."""
    _, sound = draw_layer(recipe, random)
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    sound = sound[loud[0] : loud[-1] + 1]
    return sound / np.sqrt(np.mean(sound**2)) * 0.05 * 10 ** (random.uniform(0, 12) / 20)


def _noise(samples: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    state = np.zeros(1)
    for first in range(0, samples, _BLOCK):
        white = random.standard_normal(min(_BLOCK, samples - first))
        block, state = lfilter([1.0], [1.0, -0.8], white, zi=state)
        yield block * 0.03


def _add(block: np.ndarray, sound: np.ndarray, at: int) -> None:
    """Add the part of a sound that begins at this index of the block, and that lies within it."""
    start, stop = max(at, 0), min(at + len(sound), len(block))
    if start < stop:
        block[start:stop] += sound[start - at : stop - at]

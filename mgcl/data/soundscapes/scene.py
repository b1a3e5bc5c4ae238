"""Generate a clip: the events of one recipe at random times, in a room, with a background and a microphone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.data.soundscapes.movement import SECONDS, course, movement, series
from mgcl.data.soundscapes.recipes import UNBROKEN, Range, Recipe
from mgcl.data.soundscapes.sources import SAMPLE_RATE, SOURCES, Floats

_SAMPLES = int(SECONDS * SAMPLE_RATE)
BACKGROUNDS = ("quiet", "hiss", "hum", "murmur")
_BYSTANDERS = (0.2, 0.4, 0.4)
"""Probabilities of zero, one and two bystanders in a clip."""


@dataclass(frozen=True)
class Layer:
    """Values that were drawn for one recipe in one clip."""

    recipe: Recipe
    pitch: float
    """Pitch in Hz."""
    length: float
    """Length of one event, in seconds."""
    rate: float
    onsets: tuple[float, ...]
    """Onsets of the events, in seconds."""


@dataclass(frozen=True)
class Scene:
    """One clip and the truth about it.

    The truth is used in training alone: evaluation clips are captioned from their audio.
    """

    waveform: NDArray[np.float32]
    """Waveform of shape (samples,), in -1..1."""
    layer: Layer
    """Events of the clip's own recipe; bystanders are not recorded."""
    background: str
    reverberation: float
    """Reverberation time: seconds in which the sound decays by 60 dB."""


def compose(recipe: Recipe, bystanders: Sequence[Recipe], random: np.random.Generator) -> Scene:
    """Draw a clip of ``SECONDS`` with the events of a recipe and up to two quieter sounds of other recipes.

    Args:
        recipe: recipe of the clip's class.
        bystanders: recipes of the quieter sounds.
        random: generator that everything is drawn from.
    """
    layer, dry = draw_layer(recipe, random)
    dry /= loudness(dry)
    for index in random.choice(len(bystanders), size=int(random.choice(3, p=_BYSTANDERS)), replace=False):
        _, sound = draw_layer(bystanders[index], random)
        dry += sound * 10 ** (random.uniform(-14, -1) / 20) / loudness(sound)
    clip, background, reverberation = recorded(dry, random)
    return Scene(clip, layer, background, reverberation)


def recorded(dry: Floats, random: np.random.Generator) -> tuple[NDArray[np.float32], str, float]:
    """Place sounds in a room, add a background, apply a microphone, and draw the peak, from -30 to -1 dB.

    Args:
        dry: samples at ``SAMPLE_RATE``, shape (samples,).
        random: generator that everything is drawn from.

    Returns:
        The recording, shape (samples,), its background and its reverberation time in seconds.
    """
    reverberation = _draw((0.08, 1.4), random)
    wet = _room(dry, reverberation, random)
    background = str(random.choice(BACKGROUNDS, p=(0.25, 0.25, 0.25, 0.25)))
    clip = _microphone(wet / loudness(wet) + _noise(background, len(wet), random), random)
    clip = clip * (10 ** (random.uniform(-30, -1) / 20) / np.abs(clip).max())
    return clip.astype(np.float32), background, reverberation


def _draw(bounds: Range, random: np.random.Generator) -> float:
    low, high = bounds
    return float(low * (high / low) ** random.random())


def draw_layer(recipe: Recipe, random: np.random.Generator) -> tuple[Layer, Floats]:
    """Draw the events of a recipe in a clip of ``SECONDS``: the values drawn, and the sound without any room."""
    pitch, length, rate = (_draw(each, random) for each in (recipe.pitch, recipe.length, recipe.rate))
    onsets, places = series(recipe.rhythm, length, rate, random)
    offsets = course(recipe, places, random)
    bounce = 12 if recipe.rhythm == "accelerating" else 0
    sound = np.zeros(_SAMPLES)
    for onset, place, offset in zip(onsets, places, offsets, strict=True):
        n = min(int(length * random.uniform(0.95, 1.05) * SAMPLE_RATE), _SAMPLES - int(onset * SAMPLE_RATE))
        if n > 100:
            hertz = pitch * 2 ** (offset + movement(recipe, n, rate, random))
            density = rate if recipe.rhythm in UNBROKEN else 30.0
            event = SOURCES[recipe.source](np.clip(hertz, 25, 7000), density, random)
            first = int(onset * SAMPLE_RATE)
            sound[first : first + n] += event * 10 ** ((random.uniform(-2, 2) - bounce * place) / 20)
    if recipe.rhythm == "swelling":
        sound *= (
            np.interp(np.arange(_SAMPLES) / SAMPLE_RATE - onsets[0], [0, length / 2, length], [0.02, 1, 0.02]) ** 1.5
        )
    return Layer(recipe, pitch, length, rate, tuple(onsets)), sound


def loudness(sound: Floats) -> float:
    """Root mean square of the loudest half second, so that a single event is as loud as a continuous sound."""
    power = np.add.reduceat(sound**2, np.arange(0, len(sound), SAMPLE_RATE // 2)) / (SAMPLE_RATE // 2)
    return float(np.sqrt(power.max())) + 1e-9


def _room(dry: Floats, reverberation: float, random: np.random.Generator) -> Floats:
    """Add reverberation: a tail of exponentially decaying noise."""
    time = np.arange(int(reverberation * SAMPLE_RATE)) / SAMPLE_RATE
    tail = random.standard_normal(len(time)) * np.exp(-6.9 * time / reverberation)
    tail *= 10 ** (random.uniform(-20, -2) / 20) / np.linalg.norm(tail)
    from scipy.signal import fftconvolve  # takes a second to import, and few commands generate clips

    response = np.concatenate([[1.0], tail])
    wet: Floats = fftconvolve(dry, response)[: len(dry)]
    return wet


def _noise(kind: str, samples: int, random: np.random.Generator) -> Floats:
    """Draw coloured noise, with a hum or slow swells for these kinds, at -40 to 4 dB relative to the events."""
    slope = {"hiss": random.uniform(0, 0.4), "murmur": random.uniform(0.8, 1.4)}.get(kind, random.uniform(0.3, 1.2))
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    spectrum = random.standard_normal((len(frequency), 2)) @ (1, 1j) / np.maximum(frequency, 30) ** slope
    coloured = np.fft.irfft(spectrum, samples)
    coloured /= coloured.std()
    time = np.arange(samples) / SAMPLE_RATE
    if kind == "hum":
        mains = random.choice([50, 60]) * np.arange(1, 7)
        coloured = 0.3 * coloured + (np.sin(2 * np.pi * time[:, None] * mains) @ random.uniform(0.1, 1, 6)) / 2
    if kind == "murmur":
        swells = 2 + int(2 * samples / SAMPLE_RATE)
        coloured *= 1 + 0.6 * np.interp(time, np.arange(swells) / 2, random.uniform(-1, 1, swells))
    level = random.uniform(-40, -24) if kind == "quiet" else random.uniform(-18, 4)
    return np.asarray(coloured * 10 ** (level / 20))


def _microphone(clip: Floats, random: np.random.Generator) -> Floats:
    """Apply a smooth random frequency response, of at most 10 dB up or down."""
    frequency = np.fft.rfftfreq(len(clip), 1 / SAMPLE_RATE)
    points = np.geomspace(40, SAMPLE_RATE / 2, 6)
    gain = np.interp(np.log(np.maximum(frequency, 40)), np.log(points), random.uniform(-10, 10, 6))
    heard: Floats = np.fft.irfft(np.fft.rfft(clip) * 10 ** (gain / 20), len(clip))
    return heard

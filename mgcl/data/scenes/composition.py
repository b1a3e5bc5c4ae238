"""Compose a clip of two halves: in one the sound is present, in the other the sight."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgcl.data.scenes.picture import FRAMES_PER_SECOND, as_pixels, background, spoilt, with_sprite
from mgcl.data.scenes.recipes import SceneClass
from mgcl.data.soundscapes.recipes import Recipe, class_recipes, drawn_recipes
from mgcl.data.soundscapes.scene import draw_layer
from mgcl.data.soundscapes.sources import SAMPLE_RATE

Floats = NDArray[np.floating[Any]]

HALVES = (32, 40, 48, 56)
"""Numbers of frames that a half may have: whole visual tokens of 0.64 s, so that their number says nothing of order."""
_BYSTANDER = 0.5
_FADE = 0.02
"""Seconds over which a half's sound fades in and out."""


@dataclass(frozen=True, eq=False)
class Composition:
    """A clip.

    Attributes:
        frames: shape (frames, side, side, 3), at ``FRAMES_PER_SECOND``.
        waveform: shape (samples,), -1..1, at ``SAMPLE_RATE``.
    """

    frames: NDArray[np.uint8]
    waveform: NDArray[np.float32]


def compose(scene: SceneClass, vocabulary: str, random: np.random.Generator, *, spoil: str = "") -> Composition:
    """Draw a clip of a class. The class with the other order has the same halves, swapped, if it is drawn alike.

    Args:
        scene: class of the clip.
        vocabulary: vocabulary of the class, from whose recipes a bystander is drawn.
        random: generator that everything is drawn from.
        spoil: "sound" or "sight": noise in place of it, in both halves; empty: neither.
    """
    frames = int(random.choice(HALVES))
    samples = round(frames / FRAMES_PER_SECOND * SAMPLE_RATE)
    recipe = next(each for each in class_recipes(vocabulary) if each.label == scene.sound)
    sounding, other = _stretch(recipe, samples, random), np.zeros(samples)
    if random.random() < _BYSTANDER:
        strangers = drawn_recipes(vocabulary)
        stranger = strangers[int(random.integers(len(strangers)))]
        other = _stretch(stranger, samples, random) * 10 ** (random.uniform(-16, -6) / 20)
    seen = with_sprite(background(frames, random), scene.sight, random)
    empty = background(frames, random)
    if spoil == "sound":
        sounding, other = (random.standard_normal(samples) for _ in range(2))
    if spoil == "sight":
        seen, empty = (spoilt(frames, random) for _ in range(2))
    level, hiss = 10 ** (random.uniform(-20, -3) / 20), 10 ** (random.uniform(-45, -25) / 20)
    camera = random.spawn(1)[0]
    halves = [
        (sounding + hiss * random.standard_normal(samples), as_pixels(empty, camera)),
        (other + hiss * random.standard_normal(samples), as_pixels(seen, camera)),
    ]
    waveform, pictures = (np.concatenate(each) for each in zip(*halves[:: 1 if scene.sound_first else -1], strict=True))
    return Composition(pictures, (level * waveform / np.abs(waveform).max()).astype(np.float32))


def _stretch(recipe: Recipe, samples: int, random: np.random.Generator) -> Floats:
    """Draw the events of a recipe, and cut out their loudest stretch; its loudest half second has unit power."""
    _, sound = draw_layer(recipe, random)
    power = np.concatenate([[0], np.cumsum(sound**2)])
    start = int(np.argmax(power[samples:] - power[:-samples]))
    fade = np.minimum(1, np.minimum(np.arange(samples), np.arange(samples)[::-1]) / (_FADE * SAMPLE_RATE))
    cut = sound[start : start + samples] * fade
    loudest = np.add.reduceat(cut**2, np.arange(0, samples, SAMPLE_RATE // 2)).max() / (SAMPLE_RATE // 2)
    scaled: Floats = cut / (np.sqrt(loudest) + 1e-9)
    return scaled

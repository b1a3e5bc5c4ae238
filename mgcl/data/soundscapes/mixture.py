"""Mix a clip of several named sounds, whose onsets and offsets are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.data.soundscapes.recipes import Recipe
from mgcl.data.soundscapes.scene import Layer, draw_layer, loudness, recorded
from mgcl.data.soundscapes.sources import SAMPLE_RATE, Floats
from mgcl.events import Event

SECONDS = 10.0
"""Length of every mixture, in seconds."""
_BLOCK = SAMPLE_RATE // 50
_AUDIBLE = 10 ** (-35 / 20)
"""Level of a sound's blocks, relative to its loudest, from which it counts as sounding."""


@dataclass(frozen=True)
class Sounding:
    """One sound of a mixture: when it sounds, and what was drawn for it."""

    event: Event
    layer: Layer


@dataclass(frozen=True, eq=False)
class Mixture:
    """One clip and the truth about it.

    Attributes:
        waveform: shape (samples,), in -1..1.
        sounds: its sounds, by onset. Reverberation is no part of them.
    """

    waveform: NDArray[np.float32]
    sounds: tuple[Sounding, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        """Events by onset. Sounds of one class that overlap are one event."""
        found: list[Event] = []
        for event in sorted((each.event for each in self.sounds), key=lambda each: (each.label, each.onset)):
            last = found[-1] if found else None
            if last and last.label == event.label and event.onset <= last.offset:
                found[-1] = Event(last.onset, max(last.offset, event.offset), event.label)
            else:
                found.append(event)
        return tuple(sorted(found))


def mix(recipes: Sequence[Recipe], random: np.random.Generator) -> Mixture:
    """Draw a clip of ``SECONDS`` with one sound of each recipe, at a random time and level.

    A sound is a whole series of its recipe: the strokes of one woodpecker are one event.

    Args:
        recipes: recipes of the sounds, of named classes; one may stand several times.
        random: generator that everything is drawn from.
    """
    samples = int(SECONDS * SAMPLE_RATE)
    dry, sounds = np.zeros(samples), []
    for recipe in recipes:
        layer, whole = draw_layer(recipe, random)
        sound = _audible(whole)
        first = int(random.integers(samples - len(sound) + 1))
        dry[first : first + len(sound)] += sound / loudness(sound) * 10 ** (random.uniform(-10, 0) / 20)
        onset, offset = (round(place / SAMPLE_RATE, 3) for place in (first, first + len(sound)))
        sounds.append(Sounding(Event(onset, offset, recipe.label), layer))
    waveform, _, _ = recorded(dry, random)
    return Mixture(waveform, tuple(sorted(sounds, key=lambda each: each.event)))


def _audible(sound: Floats) -> Floats:
    """The sound from its first audible block to its last."""
    level = np.sqrt(np.add.reduceat(sound**2, np.arange(0, len(sound), _BLOCK)))
    (blocks,) = np.nonzero(level >= _AUDIBLE * level.max())
    cut: Floats = sound[blocks[0] * _BLOCK : (blocks[-1] + 1) * _BLOCK]
    return cut

"""Captions made from the truth about scenes: of training clips, and of the generated set for retrieval.

They are never made for clips of other sets.
"""

import functools
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from mgcl.data.soundscapes.mixture import Sounding
from mgcl.data.soundscapes.recipes import UNBROKEN
from mgcl.data.soundscapes.scene import Layer, Scene


def describe(scene: Scene, random: np.random.Generator) -> str:
    """Write one sentence on a scene's events, and sometimes on its background and room. The wording is drawn."""
    words = _words()
    setting = [
        _pick(words["background"][scene.background], random),
        _by_size(words["room"], scene.reverberation, random),
    ]
    parts = [_event(scene.layer, words, random), *(each for each in setting if random.random() < 0.35)]
    return ", ".join(part for part in parts if part)


def describe_order(sounds: Sequence[Sounding], count: int, random: np.random.Generator) -> tuple[str, ...]:
    """Write different sentences on what sounds in a mixture, in which order. The wording is drawn.

    The first two name the classes; the others describe the sounds, as captions of training clips do.

    Args:
        sounds: at least two sounds of the mixture, by onset.
        count: number of sentences.
        random: generator that the wording is drawn from.
    """
    words, found = _words(), dict[str, None]()
    while len(found) < count:
        named = len(found) < 2
        phrases = [_named(each.layer) if named else _event(each.layer, words, random) for each in sounds]
        sentence, last = phrases[0], sounds[0].event
        for phrase, each in zip(phrases[1:], sounds[1:], strict=True):
            overlap = min(last.offset, each.event.offset) - each.event.onset
            shorter = min(last.offset - last.onset, each.event.offset - each.event.onset)
            together = overlap > 0.5 * shorter
            sentence += _pick(words["order"]["together" if together else "then"], random) + phrase
            last = each.event
        found[sentence] = None
    return tuple(found)


def _named(layer: Layer) -> str:
    name = layer.recipe.label.replace("_", " ")
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _event(layer: Layer, words: dict[str, Any], random: np.random.Generator) -> str:
    recipe = layer.recipe
    noun = _pick(words["source"][recipe.source], random).split(" ", 1)[1]
    if random.random() < 0.7:
        noun = f"{_by_size(words['pitch'], layer.pitch, random)} {noun}"
    if random.random() < 0.3 and (recipe.rhythm == "once" or recipe.rhythm not in UNBROKEN):
        noun = f"{_by_size(words['length'], layer.length, random)} {noun}"
    parts = [f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"]
    if random.random() < 0.75:
        parts.append(_pick(words["contour"][recipe.contour], random))
    if random.random() < 0.75:
        parts.append(_pick(words["rhythm"][recipe.rhythm], random))
        if recipe.rhythm not in UNBROKEN and random.random() < 0.4:
            parts.append(_by_size(words["rate"], layer.rate, random))
    random.shuffle(tail := [part for part in parts[1:] if part])
    sentence = " ".join([parts[0], *tail])
    if recipe.label and random.random() < 0.5:
        name = _named(layer)
        bare = name.split(" ", 1)[1]
        return str(random.choice([f"the sound of {name}, {sentence}", f"{bare}: {sentence}", f"{sentence} of {name}"]))
    return sentence


def _pick(choices: Sequence[str], random: np.random.Generator) -> str:
    return choices[int(random.integers(len(choices)))]


def _by_size(ladder: Sequence[tuple[float, Sequence[str]]], value: float, random: np.random.Generator) -> str:
    """Draw a word from the first step of a ladder whose limit is at least ``value``."""
    return _pick(next(choices for limit, choices in ladder if value <= limit), random)


@functools.cache
def _words() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files(__package__).joinpath("words.json").read_text(encoding="utf-8"))
    return content

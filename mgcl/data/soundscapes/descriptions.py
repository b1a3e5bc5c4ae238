"""Captions of training clips, made from the truth about their scenes. They are never made for other clips."""

import functools
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np

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
        name = recipe.label.replace("_", " ")
        article = "an" if name[0] in "aeiou" else "a"
        return str(
            random.choice(
                [f"the sound of {article} {name}, {sentence}", f"{name}: {sentence}", f"{sentence} of {article} {name}"]
            )
        )
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

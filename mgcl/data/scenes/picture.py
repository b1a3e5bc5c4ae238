"""The picture of a scene: a moving sprite, perhaps a grey distractor, on a noisy moving background."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgcl.data.scenes.recipes import Sight

Floats = NDArray[np.floating[Any]]

SIDE = 32
"""Height and width of a frame, in pixels."""
FRAMES_PER_SECOND = 12.5

_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (225, 45, 45),
    "green": (50, 200, 70),
    "blue": (60, 90, 235),
    "yellow": (235, 215, 50),
    "purple": (170, 60, 210),
    "white": (245, 245, 245),
}


def _radius(x: Floats, y: Floats) -> Floats:
    radius: Floats = np.hypot(x, y)
    return radius


_DISTANCES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "disc": lambda x, y: _radius(x, y) - 1,
    "ring": lambda x, y: np.abs(_radius(x, y) - 0.8) - 0.3,
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) - 0.9,
    "triangle": lambda x, y: np.maximum(0.9 * np.abs(x) * 2 - y - 1, y - 0.9),
    "cross": lambda x, y: np.maximum(np.minimum(np.abs(x), np.abs(y)) - 0.32, np.maximum(np.abs(x), np.abs(y)) - 1),
}
"""Shape -> signed distance from its edge, in units of its radius; negative inside."""
_GREY, _DISTRACTOR = 128, 0.5
"""Level of the background, 0..255, and probability of a distractor."""


def background(frames: int, random: np.random.Generator) -> Floats:
    """Draw frames of grey waves that drift, with a distractor in half of the cases; shape (frames, side, side, 3)."""
    time = np.arange(frames)[:, None, None] / FRAMES_PER_SECOND
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = np.zeros((frames, SIDE, SIDE))
    for _ in range(3):
        angle, waves_across, speed = random.uniform(0, 2 * np.pi), random.uniform(0.5, 2.5), random.uniform(-1, 1)
        place = waves_across * (x * np.cos(angle) + y * np.sin(angle))
        waves += random.uniform(5, 14) * np.sin(2 * np.pi * (place + speed * time + random.random()))
    picture = np.repeat((_GREY + waves)[..., None], 3, axis=-1)
    if random.random() < _DISTRACTOR:
        start, velocity = random.uniform(0.1, 0.9, 2), random.uniform(-0.4, 0.4, 2)
        places = np.abs((start + velocity * time[:, :, 0]) % 2 - 1)
        radius = np.full(frames, random.uniform(0.06, 0.11))
        shade = random.choice([60, 190])
        picture = _painted(picture, "disc", (shade,) * 3, places, radius)
    return picture


def with_sprite(picture: Floats, sight: Sight, random: np.random.Generator) -> Floats:
    """Paint a sprite that moves over every frame; its size, speed, place and shade are drawn."""
    time = np.arange(len(picture)) / FRAMES_PER_SECOND
    radius = random.uniform(0.14, 0.2)
    turn = random.uniform(0.5, 0.9) * time + random.random()
    x, y = random.uniform(0.3, 0.7, 2)
    cycle, wave = turn % 1, np.cos(2 * np.pi * turn)
    across = -radius + (1 + 2 * radius) * cycle
    places = {
        "falling": (x, across),
        "rising": (x, 1 - across),
        "drifting": (across, y),
        "swinging": (0.5 + 0.34 * wave, y),
        "bouncing": (x, 0.82 - 0.64 * np.abs(np.sin(np.pi * turn))),
        "circling": (0.5 + 0.3 * wave, 0.5 + 0.3 * np.sin(2 * np.pi * turn)),
        "growing": (x, y),
    }[sight.path]
    size = radius * (0.3 + 1.5 * cycle if sight.path == "growing" else np.ones(len(time)))
    colour = np.clip(np.array(_COLOURS[sight.colour]) * random.uniform(0.85, 1.1), 0, 255)
    return _painted(picture, sight.shape, colour, np.stack(np.broadcast_arrays(*places, time)[:2], axis=-1), size)


def spoilt(frames: int, random: np.random.Generator) -> Floats:
    """Draw frames of noise alone, shape (frames, side, side, 3)."""
    return random.uniform(0, 255, (frames, SIDE, SIDE, 3))


def as_pixels(picture: Floats, random: np.random.Generator) -> NDArray[np.uint8]:
    """Add a camera's noise, and round to 0..255."""
    noisy = picture + random.uniform(3, 10) * random.standard_normal(picture.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _painted(picture: Floats, shape: str, colour: Floats | tuple[int, ...], places: Floats, radius: Floats) -> Floats:
    """Paint a shape on every frame.

    Args:
        picture: shape (frames, side, side, 3).
        shape: name of the shape.
        colour: red, green and blue, 0..255.
        places: centre (x, y) in every frame, shape (frames, 2), in units of the side.
        radius: radius in every frame, shape (frames), in units of the side.
    """
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    scale = radius[:, None, None]
    u, v = (x - places[:, 0, None, None]) / scale, (y - places[:, 1, None, None]) / scale
    cover = np.clip(0.5 - _DISTANCES[shape](u, v) * scale * SIDE, 0, 1)[..., None]
    painted: Floats = picture * (1 - cover) + cover * np.asarray(colour, float)
    return painted

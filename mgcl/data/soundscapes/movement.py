"""Times of a recipe's events, and the movement of their pitch."""

import numpy as np

from mgcl.data.soundscapes.recipes import FAST, STRUCK, UNBROKEN, Recipe
from mgcl.data.soundscapes.sources import SAMPLE_RATE, Floats

SECONDS = 5.0
"""Length of every clip, in seconds."""


def series(rhythm: str, length: float, rate: float, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw the onsets of events.

    Args:
        rhythm: rhythm of the recipe.
        length: length of an event, in seconds.
        rate: events (or groups of events) per second.
        random: generator that everything is drawn from.

    Returns:
        Onsets in seconds, and the place of every event in its series, from 0 to 1.
    """
    if rhythm in UNBROKEN:
        return np.array([random.uniform(0, max(0.05, SECONDS - length - 0.1))]), np.array([0.5])
    if rhythm in ("pairs", "triplets", "bursts"):
        return _groups(rhythm, length, rate, random)
    if rhythm == "irregular":
        gaps = random.exponential(1 / rate, int(5 * rate) + 2) + 0.4 * length
    elif rhythm in ("accelerating", "slowing"):
        gaps = np.geomspace(2.4, 0.35, int(random.integers(9, 15))) / rate
        gaps = gaps[::-1] if rhythm == "slowing" else gaps
    else:
        span = random.uniform(0.9, 3.0) if rhythm == "roll" else random.uniform(2.4, 4.8)
        gaps = np.full(max(2, round(span * rate)), 1 / rate) * random.uniform(0.96, 1.04, max(2, round(span * rate)))
    times = np.concatenate([[0], np.cumsum(gaps)])
    times = times[times < SECONDS - min(length, 0.5)]
    return times + random.uniform(0, SECONDS - min(length, 0.5) - times[-1]), np.linspace(0, 1, len(times))


def _groups(rhythm: str, length: float, rate: float, random: np.random.Generator) -> tuple[Floats, Floats]:
    if rhythm == "bursts":
        size, gap = int(random.integers(4, 10)), 1 / rate
        period = size * gap + random.uniform(0.35, 0.9)
    else:
        size, gap = {"pairs": 2, "triplets": 3}[rhythm], 1.2 * min(length, 0.5) + 0.03
        period = max(1 / rate, size * gap + 0.35)
    starts = np.arange(random.uniform(0, 0.6 * period), SECONDS - min(size * gap, 2), period)
    return (starts[:, None] + gap * np.arange(size)).ravel(), np.tile(np.linspace(0, 1, size), len(starts))


def course(recipe: Recipe, places: Floats, random: np.random.Generator) -> Floats:
    """Draw the distance of every event's pitch from the recipe's pitch, in octaves.

    It is 0 unless the contour runs over the whole series of events.
    """
    if not _runs_over_the_series(recipe):
        return np.zeros(len(places))
    span = random.uniform(0.7, 1.4)
    courses: dict[str, Floats] = {
        "rising": span * (places - 0.5),
        "falling": span * (0.5 - places),
        "arching": span * (np.sin(np.pi * places) - 0.5),
        "two-tone": span / 3 * np.where(np.arange(len(places)) % 2, 1, -1),
        "wandering": random.uniform(-0.6, 0.6, len(places)),
    }
    return courses.get(recipe.contour, np.zeros(len(places)))


def movement(recipe: Recipe, n: int, rate: float, random: np.random.Generator) -> Floats:
    """Draw the distance of the pitch from the event's middle pitch, in octaves, at each of an event's ``n`` samples."""
    place, seconds = np.linspace(0, 1, n), n / SAMPLE_RATE
    if recipe.contour == "wobbling":
        depth, speed = random.uniform(0.05, 0.15), random.uniform(5, 9)
        return depth * np.sin(2 * np.pi * (speed * place * seconds + random.random()))
    if recipe.contour == "steady" or _runs_over_the_series(recipe):
        return random.uniform(-0.01, 0.01) * place
    span = random.uniform(0.6, 1.3)
    if recipe.contour == "wandering":
        points = max(3, int(seconds * random.uniform(2, 4)))
        return np.interp(place * (points - 1), np.arange(points), random.uniform(-span / 2, span / 2, points))
    if recipe.contour == "two-tone":
        turns = rate * seconds if recipe.rhythm in ("continuous", "swelling") and rate < 5 else 1
        return span / 4 * np.where((2 * place * turns).astype(int) % 2, -1, 1)
    return {
        "rising": span * (place - 0.5),
        "falling": span * (0.5 - place),
        "arching": span * (np.sin(np.pi * place) - 0.5),
    }[recipe.contour]


def _runs_over_the_series(recipe: Recipe) -> bool:
    if recipe.rhythm in UNBROKEN:
        return False
    return recipe.source in STRUCK or recipe.rhythm in FAST or recipe.contour == "wandering"

"""The classes as data: source, contour of the pitch, rhythm of the events, and ranges of pitch, length and rate."""

import csv
import functools
import itertools
from dataclasses import dataclass
from importlib.resources import files

from mgcl.seeding import generator

VERSION = 1
"""Version of the generator. Increase it whenever the same seed gives other clips."""

SPLITS = ("evaluation", "development", "training")
GROUPS = ("impacts", "calls", "textures", "machines", "alarms")
CONTOURS = ("steady", "rising", "falling", "arching", "wobbling", "two-tone", "wandering")
UNBROKEN = ("once", "continuous", "swelling")
SERIES = ("regular", "roll", "pairs", "triplets", "bursts", "accelerating", "slowing", "irregular")

Range = tuple[float, float]

# Range of a drawn recipe's pitch by source, in Hz. The pitch of noises and clicks is the centre of their band.
PITCHES: dict[str, Range] = {
    "whistle": (300, 5500),
    "buzz": (60, 2300),
    "reed": (90, 1300),
    "voice": (100, 800),
    "growl": (40, 350),
    "electronic": (150, 2500),
    "bell": (150, 3000),
    "wood": (200, 1800),
    "glass": (1500, 4500),
    "drum": (45, 300),
    "string": (80, 900),
    "click": (800, 4500),
    "hiss": (2500, 6500),
    "rumble": (40, 210),
    "wind": (300, 2500),
    "crackle": (800, 5000),
    "bubble": (250, 1200),
    "scrape": (1000, 6000),
}
STRUCK = ("bell", "wood", "glass", "drum", "string", "click")
FAST = ("roll", "bursts", "accelerating", "slowing")


@dataclass(frozen=True)
class Recipe:
    """Recipe of one class of sounds. For every clip a value is drawn log-uniformly from each range."""

    label: str
    """Name of the class; empty for a drawn recipe."""
    source: str
    contour: str
    rhythm: str
    pitch: Range
    """Pitch in Hz."""
    length: Range
    """Length of one event, in seconds."""
    rate: Range
    """Events per second; groups per second for pairs and triplets; grains per second for unbroken crackle or bubble."""
    group: str = ""

    @property
    def form(self) -> tuple[str, str, str]:
        """Source, contour and rhythm. No two recipes share all three, in whatever split they are."""
        return self.source, self.contour, self.rhythm


@functools.cache
def class_recipes(split: str) -> tuple[Recipe, ...]:
    """Return the named classes of one split, in the order of ``classes.csv``."""
    with files(__package__).joinpath("classes.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    return tuple(
        Recipe(
            row["label"],
            row["source"],
            row["contour"],
            row["rhythm"],
            _range(row, "pitch"),
            _range(row, "length"),
            _range(row, "rate"),
            row["group"],
        )
        for row in rows
    )


@functools.cache
def drawn_recipes(split: str) -> tuple[Recipe, ...]:
    """Return a split's nameless recipes, whose ranges are drawn.

    Their forms are those that make sense and that no named class has. They are divided at random between the splits:
    evaluation and development have a twelfth each, for the bystanders of their clips; training has the rest.
    """
    named = {recipe.form for each in SPLITS for recipe in class_recipes(each)}
    forms = itertools.product(PITCHES, CONTOURS, UNBROKEN + SERIES)
    left = [form for form in forms if form not in named and _makes_sense(*form)]
    dealt = generator("drawn recipes", len(left)).permutation(len(left)) % 12
    share = {"evaluation": (0,), "development": (1,), "training": range(2, 12)}[split]
    return tuple(_drawn(form) for form, pile in zip(left, dealt, strict=True) if pile in share)


def _makes_sense(source: str, contour: str, rhythm: str) -> bool:
    if source in STRUCK and rhythm in UNBROKEN:
        return rhythm == "once" and contour == "steady"
    return not (rhythm == "once" and contour == "wandering")


def _drawn(form: tuple[str, str, str]) -> Recipe:
    source, _, rhythm = form
    random = generator("drawn recipe", *form)

    def within(low: float, high: float, width: float) -> Range:
        start = low * (high / low / width) ** random.random()
        return round(start, 4), round(start * width, 4)

    if rhythm in UNBROKEN:
        length = within(0.7, 3, 1.6) if rhythm == "once" else within(2.2, 4.9, 1.5)
    elif rhythm in FAST:
        length = within(0.03, 0.16, 1.6)
    else:
        length = within(0.08, 0.6, 1.6)
    if source in ("bell", "glass", "string") and rhythm not in FAST:
        length = within(0.3, 2.5, 1.6)
    rates = {"roll": (6, 18), "bursts": (6, 20), "accelerating": (3, 6), "slowing": (3, 6), "pairs": (0.6, 1.4)}
    rates |= {"triplets": (0.5, 1), "regular": (0.8, 5), "irregular": (1.5, 6)}
    rate = within(*rates.get(rhythm, (9, 34)), 1.5)
    return Recipe("", *form, within(*PITCHES[source], 1.9), length, rate)


def _range(row: dict[str, str], name: str) -> Range:
    return float(row[f"{name}_low"]), float(row[f"{name}_high"])

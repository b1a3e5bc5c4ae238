"""The classes of the scenes: a sound, a sight, and which of them begins; their parts, and the split of their clips."""

import csv
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

VERSION = 1
"""Version of the generator. Increase it whenever the same seed gives other clips."""

VOCABULARIES = ("evaluation", "development")
"""Names of the two lists of classes. They have one structure, and no sound and no sight in common."""

Counts = Mapping[str, tuple[int, int, int]]
"""Part -> number of clips per class for training, validation and test."""

CLIPS: Counts = {"base": (20, 4, 6), "novel-validation": (10, 14, 6), "novel-test": (12, 0, 18)}
_SPLITS = ("train", "validation", "test")
_SPOILT = 10
"""One of this many clips has a spoilt sound or a spoilt picture."""


@dataclass(frozen=True)
class Sight:
    """A moving sprite."""

    path: str
    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{self.path} {self.colour} {self.shape}"


@dataclass(frozen=True)
class SceneClass:
    """One class of scenes.

    Attributes:
        part: base, novel-validation or novel-test.
        sound: label of a recipe of the generated soundscapes.
        sight: the sprite that is seen.
        sound_first: whether the sound fills the first half of a clip and the sight the second.
    """

    part: str
    sound: str
    sight: Sight
    sound_first: bool

    @property
    def label(self) -> str:
        """Name of the class: "a gong, then a falling red disc"."""
        sound, sight = (_with_article(each) for each in (self.sound.replace("_", " "), str(self.sight)))
        return f"{sound}, then {sight}" if self.sound_first else f"{sight}, then {sound}"


@dataclass(frozen=True)
class SceneClip:
    """One clip of a class, before it is drawn.

    Attributes:
        index: number of the clip in its class, from 0.
        split: train, validation or test.
        spoilt: "sound" or "sight": this modality of the clip is noise; empty: neither is.
    """

    of: SceneClass
    index: int
    split: str
    spoilt: str


@functools.cache
def scene_classes(vocabulary: str = "evaluation") -> tuple[SceneClass, ...]:
    """Return the 36 classes of a vocabulary, in the order of ``classes.csv``.

    Base classes are 9 pairs of a sound and a sight in both orders. Six classes of each other part put words of base
    classes together in another way: 3 pairs in both orders. The other three bring a sound, or a sound and a sight, that
    no other part has. So every part has classes that differ in the sound alone, in the sight alone, and in the order
    alone.
    """
    words = json.loads(files(__package__).joinpath("vocabulary.json").read_text(encoding="utf-8"))[vocabulary]
    with files(__package__).joinpath("classes.csv").open(encoding="utf-8") as stream:
        return tuple(
            SceneClass(
                row["part"],
                words["sounds"][int(row["sound"])],
                Sight(*words["sights"][int(row["sight"])]),
                row["begins"] == "sound",
            )
            for row in csv.DictReader(stream)
        )


def scene_clips(classes: tuple[SceneClass, ...], counts: Counts = CLIPS) -> tuple[SceneClip, ...]:
    """Return the clips of classes. A tenth is spoilt, in sound and picture alternately, spread over the classes.

    Args:
        classes: classes of the clips.
        counts: number of clips per class, by part.
    """
    return tuple(
        SceneClip(each, index, split, _spoilt(row + index))
        for row, each in enumerate(classes)
        for index, split in enumerate(
            split for split, count in zip(_SPLITS, counts[each.part], strict=True) for _ in range(count)
        )
    )


def _spoilt(number: int) -> str:
    if number % _SPOILT:
        return ""
    return "sight" if number // _SPOILT % 2 else "sound"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

"""Ceilings: what a perfect recogniser could score that does not perceive everything. They follow from the clips' list.

An observation is what a recogniser perceives of a clip. Clips with the same observation get the same answer, so that an
answer is a choice of one class per observation. The best choice is found by counting.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.data.scenes.recipes import SceneClip

_MIXTURES = np.linspace(0, 1, 1001)


@dataclass(frozen=True)
class Ceiling:
    """Largest figures that a view allows, in 0..1.

    Attributes:
        base: mean recall of base classes, at the choice with the largest harmonic mean.
        novel: mean recall of novel classes, at the same choice.
        harmonic_mean: largest harmonic mean of the two. Answers may be mixed at random, as calibration does not.
        novel_alone: mean recall of novel classes if only they can be answered.
    """

    base: float
    novel: float
    harmonic_mean: float
    novel_alone: float


def _sound(clip: SceneClip) -> Hashable:
    return (clip.of.sound, clip.of.sound_first) if clip.spoilt != "sound" else None


def _sight(clip: SceneClip) -> Hashable:
    return (clip.of.sight, clip.of.sound_first) if clip.spoilt != "sight" else None


def _both(clip: SceneClip) -> Hashable:
    return _sound(clip), _sight(clip)


def _without_order(clip: SceneClip) -> Hashable:
    return clip.spoilt != "sound" and clip.of.sound, clip.spoilt != "sight" and clip.of.sight


VIEWS: Mapping[str, Callable[[SceneClip], Hashable]] = {
    "audio alone": _sound,
    "video alone": _sight,
    "both without order": _without_order,
    "audio and video": _both,
}
"""View -> what a recogniser with this view perceives of a clip. Either modality shows when it begins."""


def ceilings(clips: Iterable[SceneClip]) -> dict[str, Ceiling]:
    """Return the ceilings of the views for the test of the second stage, by view.

    Base classes of that test are those of the parts base and novel-validation; novel classes are those of novel-test.

    Args:
        clips: clips of the data set; only those of the split test count.
    """
    test = [clip for clip in clips if clip.split == "test"]
    return {name: _ceiling(test, view) for name, view in VIEWS.items()}


def _ceiling(test: list[SceneClip], view: Callable[[SceneClip], Hashable]) -> Ceiling:
    sizes = Counter(clip.of for clip in test)
    novel = {each: each.part == "novel-test" for each in sizes}
    kinds = Counter(novel.values())
    gains: dict[Hashable, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (observation, of), count in Counter((view(clip), clip.of) for clip in test).items():
        gain = count / sizes[of] / kinds[novel[of]]
        gains[observation][novel[of]] = max(gains[observation][novel[of]], gain)
    base, new = np.array(list(gains.values())).T
    # Answers with the best recall of one kind at a given recall of the other take novel classes where they lose least.
    order = np.argsort(_loss(base, new), kind="stable")
    bases = base.sum() - np.concatenate([[0], np.cumsum(base[order])])
    novels = np.concatenate([[0], np.cumsum(new[order])])
    grid = (_MIXTURES[:, None] * line[1:] + (1 - _MIXTURES[:, None]) * line[:-1] for line in (bases, novels))
    b, n = (each.ravel() for each in grid)
    means = 2 * b * n / np.maximum(b + n, 1e-12)
    best = int(means.argmax())
    return Ceiling(float(b[best]), float(n[best]), float(means[best]), float(new.sum()))


def _loss(base: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recall of base classes that is lost per recall of novel classes that is won."""
    return np.where(new > 0, base / np.maximum(new, 1e-12), np.inf)

"""Generated scenes: the structure of their classes, ceilings, halves, and files that are the same each time."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mgcl.data import scenes
from mgcl.data.scenes.composition import HALVES, compose
from mgcl.data.scenes.oracle import VIEWS, ceilings
from mgcl.data.scenes.picture import FRAMES_PER_SECOND, SIDE
from mgcl.data.scenes.recipes import CLIPS, VOCABULARIES, SceneClass, scene_classes, scene_clips
from mgcl.data.soundscapes.recipes import class_recipes
from mgcl.data.soundscapes.sources import SAMPLE_RATE
from mgcl.errors import DataError
from mgcl.seeding import generator

FEW = {"base": (0, 0, 1), "novel-validation": (0, 0, 0), "novel-test": (1, 0, 0)}


def swapped(each: SceneClass) -> SceneClass:
    return SceneClass(each.part, each.sound, each.sight, not each.sound_first)


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_every_part_has_minimal_pairs_of_each_kind(vocabulary: str) -> None:
    classes = scene_classes(vocabulary)
    assert Counter(each.part for each in classes) == {"base": 18, "novel-validation": 9, "novel-test": 9}
    assert len({each.label for each in classes}) == 36
    for part in CLIPS:
        own = [each for each in classes if each.part == part]
        differ = Counter(
            (a.sound != b.sound, a.sight != b.sight, a.sound_first != b.sound_first)
            for a, b in itertools.combinations(own, 2)
        )
        assert min(differ[kind] for kind in ((True, False, False), (False, True, False), (False, False, True))) >= 2


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_a_third_of_the_novel_classes_brings_a_new_word(vocabulary: str) -> None:
    classes = scene_classes(vocabulary)

    def words(parts: set[str]) -> set[object]:
        return {word for each in classes if each.part in parts for word in (each.sound, each.sight)}

    for part in ("novel-validation", "novel-test"):
        known = words(set(CLIPS) - {part})
        assert sum(bool({each.sound, each.sight} - known) for each in classes if each.part == part) == 3
    assert len(words(set(CLIPS))) == 12 + 8
    pairs = {part: {(each.sound, each.sight) for each in classes if each.part == part} for part in CLIPS}
    assert not any(a & b for a, b in itertools.combinations(pairs.values(), 2))


def test_the_vocabularies_have_nothing_in_common() -> None:
    table, development = (scene_classes(each) for each in VOCABULARIES)
    assert not {each.sound for each in table} & {each.sound for each in development}
    assert not {each.sight for each in table} & {each.sight for each in development}
    for vocabulary in VOCABULARIES:
        assert {each.sound for each in scene_classes(vocabulary)} <= {each.label for each in class_recipes(vocabulary)}


def test_splits_and_spoilt_clips_are_as_many_as_stated() -> None:
    clips = scene_clips(scene_classes())
    assert Counter((each.of.part, each.split) for each in clips) == {
        ("base", "train"): 18 * 20,
        ("base", "validation"): 18 * 4,
        ("base", "test"): 18 * 6,
        ("novel-validation", "train"): 9 * 10,
        ("novel-validation", "validation"): 9 * 14,
        ("novel-validation", "test"): 9 * 6,
        ("novel-test", "train"): 9 * 12,
        ("novel-test", "test"): 9 * 18,
    }
    assert Counter(each.spoilt for each in clips) == {"": 972, "sound": 52, "sight": 56}


def test_ceilings_are_those_of_the_best_oracle_of_all() -> None:
    """Brute force: every oracle answers one class per observation; none beats the ceiling, and one meets it alone."""
    classes = [each for each in scene_classes() if each.sound in ("woodpecker", "campfire")]
    clips = [each for each in scene_clips(tuple(classes)) if each.split == "test" and each.index % 3 == 2]
    found = ceilings(clips)
    sizes = Counter(clip.of for clip in clips)
    for name in ("audio alone", "both without order"):
        cells = Counter((VIEWS[name](clip), clip.of) for clip in clips)
        observations = sorted({cell for cell, _ in cells}, key=repr)
        choices = [[of for cell, of in cells if cell == each] for each in observations]
        scores = []
        for answers in itertools.product(*choices):
            recall = dict.fromkeys(sizes, 0.0)
            for cell, of in zip(observations, answers, strict=True):
                recall[of] += cells[cell, of] / sizes[of]
            kinds = [[recall[of] for of in sizes if (of.part == "novel-test") == novel] for novel in (False, True)]
            base, novel = (float(np.mean(each)) for each in kinds)
            scores.append((2 * base * novel / (base + novel + 1e-12), base, novel))
        ceiling = found[name]
        assert max(scores)[0] <= ceiling.harmonic_mean + 1e-9
        assert ceiling.harmonic_mean < max(scores)[0] + 0.1
        assert max(novel for *_, novel in scores) == pytest.approx(ceiling.novel_alone)
        assert ceiling.novel_alone < 1


def test_each_modality_and_the_order_are_needed() -> None:
    found = ceilings(scene_clips(scene_classes()))
    assert found == ceilings(scene_clips(scene_classes("development")))
    everything = found["audio and video"]
    assert everything.harmonic_mean > 0.95
    for name in ("audio alone", "video alone", "both without order"):
        assert found[name].harmonic_mean < everything.harmonic_mean - 0.3
        assert found[name].novel_alone < everything.novel_alone - 0.2


def test_the_documented_ceilings_are_the_counted_ones() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data-and-backbones.md").read_text(encoding="utf-8")
    for each in ceilings(scene_clips(scene_classes())).values():
        figures = (each.base, each.novel, each.harmonic_mean, each.novel_alone)
        assert " | ".join(f"{100 * figure:.1f}" for figure in figures) in page


def test_swapped_halves_are_a_clip_of_the_class_with_the_other_order() -> None:
    for index, each in enumerate(scene_classes()[::7]):
        a, b = (
            compose(one, "evaluation", generator("swap", index), spoil=("", "sound", "sight")[index % 3])
            for one in (each, swapped(each))
        )
        frames, samples = len(a.frames) // 2, len(a.waveform) // 2
        assert np.array_equal(np.roll(a.frames, frames, axis=0), b.frames)
        assert np.array_equal(np.roll(a.waveform, samples), b.waveform)
        assert frames in HALVES and samples == round(frames / FRAMES_PER_SECOND * SAMPLE_RATE)


def test_sound_and_sight_are_in_their_halves() -> None:
    for index, each in enumerate(scene_classes()[::3]):
        clip = compose(each, "evaluation", generator("halves", index))
        loud = [float(np.square(half).sum()) for half in np.split(clip.waveform, 2)]
        # The sprite alone is coloured, but for white ones.
        spread = [float(np.percentile(np.ptp(half.astype(int), axis=-1), 99)) for half in np.split(clip.frames, 2)]
        assert (loud[0] > loud[1]) == each.sound_first
        assert (spread[0] < spread[1]) == each.sound_first or each.sight.colour == "white"


def test_a_spoilt_modality_says_nothing() -> None:
    """With everything else drawn alike, a spoilt picture does not depend on the sight; spoilt sound is level noise."""
    a, b = next(
        (a, b) for a, b in itertools.combinations(scene_classes(), 2) if a.sound == b.sound and a.sight != b.sight
    )
    pictures = [compose(each, "evaluation", generator("spoilt"), spoil="sight").frames for each in (a, b)]
    assert pictures[0].shape[1:] == (SIDE, SIDE, 3)
    assert np.array_equal(*pictures)
    assert not np.array_equal(*(compose(each, "evaluation", generator("spoilt")).frames for each in (a, b)))
    waveform = compose(a, "evaluation", generator("spoilt"), spoil="sound").waveform
    tenths = np.square(np.array_split(waveform[: len(waveform) // 10 * 10], 10)).mean(1)
    assert tenths.max() < 1.2 * tenths.min()


def test_generated_files_are_the_same_each_time(tmp_path) -> None:
    for workers in (1, 2):
        scenes.generate(tmp_path / str(workers), vocabulary="development", clips=FEW, workers=workers)
    files = sorted((tmp_path / "1" / "clips").iterdir())
    assert len(files) == 18 + 9
    assert all(file.read_bytes() == (tmp_path / "2" / "clips" / file.name).read_bytes() for file in files)
    dataset = scenes.read(tmp_path / "1")
    assert (dataset.name, dataset.pictures, len(dataset.classes)) == ("scenes-development", True, 27)
    assert Counter(dataset.parts.values()) == {"base": 18, "novel-test": 9}
    assert Counter(file.split for file in dataset.files) == {"train": 9, "test": 18}
    assert scenes.generate(tmp_path / "1", vocabulary="development", clips=FEW) == dataset
    with pytest.raises(DataError, match="exists, and is not the scenes asked for"):
        scenes.generate(tmp_path / "1", clips=FEW)
    with pytest.raises(DataError, match="`split` training: choose evaluation, development"):
        scenes.generate(tmp_path / "3", vocabulary="training")
    with pytest.raises(DataError, match="mgcl data generate scenes --root"):
        scenes.read(tmp_path)
    files[3].unlink()
    with pytest.raises(DataError, match=r"missing, one of 1 that scenes\.csv names"):
        scenes.read(tmp_path / "1")

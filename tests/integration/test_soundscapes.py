"""Generated sounds: splits that share nothing, clips that depend on their seed alone, files in ESC-50's layout."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
import soundfile

from mgcl.data import soundscapes
from mgcl.data._splits import folds
from mgcl.data.soundscapes.descriptions import describe
from mgcl.data.soundscapes.movement import series
from mgcl.data.soundscapes.recipes import GROUPS, PITCHES, SPLITS, Recipe, class_recipes, drawn_recipes
from mgcl.data.soundscapes.scene import SAMPLE_RATE, compose
from mgcl.data.soundscapes.sources import SOURCES
from mgcl.errors import DataError
from mgcl.language.explanations import explanations

NAMED = [recipe for split in SPLITS for recipe in class_recipes(split)]


def test_each_split_has_as_many_classes_of_every_group() -> None:
    sizes = {split: Counter(recipe.group for recipe in class_recipes(split)) for split in SPLITS}
    assert sizes == {split: dict.fromkeys(GROUPS, size) for split, size in zip(SPLITS, (6, 3, 12), strict=True)}


def test_no_recipe_is_shared_named_or_drawn() -> None:
    drawn = [recipe for split in SPLITS for recipe in drawn_recipes(split)]
    forms = Counter(recipe.form for recipe in (*NAMED, *drawn))
    assert [form for form, count in forms.items() if count > 1] == []
    assert len({recipe.label for recipe in NAMED}) == len(NAMED)


def ranges(of: Iterable[Recipe]) -> set[tuple[str, float, float]]:
    pairs = ((name, *getattr(recipe, name)) for recipe in of for name in ("pitch", "length", "rate"))
    return {(name, low, high) for name, low, high in pairs if (low, high) != (1, 1)}  # unbroken sounds have no rate


@pytest.mark.parametrize("split", SPLITS)
def test_no_parameter_range_of_a_class_is_one_of_another_split(split) -> None:
    others = [recipe for other in SPLITS if other != split for recipe in class_recipes(other)]
    assert ranges(class_recipes(split)).isdisjoint(ranges(others))
    if split != "training":
        assert ranges(class_recipes(split)).isdisjoint(ranges(drawn_recipes("training")))


def test_ranges_ascend_and_sources_exist() -> None:
    assert list(PITCHES) == list(SOURCES)
    for recipe in (*NAMED, *drawn_recipes("training")):
        assert recipe.source in SOURCES
        for low, high in (recipe.pitch, recipe.length, recipe.rate):
            assert 0 < low <= high


def test_five_folds_of_fifteen_classes_with_three_of_each_group() -> None:
    group = {recipe.label: recipe.group for recipe in class_recipes("evaluation")}
    subsets = folds("soundscapes", group)
    assert len(subsets) == 5
    for fold in subsets:
        assert Counter(group[label] for label in fold.classes) == dict.fromkeys(GROUPS, 3)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_sounds_at_both_ends_of_its_pitches(name) -> None:
    for pitch in PITCHES[name]:
        event = SOURCES[name](np.full(SAMPLE_RATE // 2, float(pitch)), 20.0, np.random.default_rng(0))
        assert event.shape == (SAMPLE_RATE // 2,)
        assert np.isfinite(event).all()
        assert event.std() > 1e-3


def test_events_begin_inside_the_clip() -> None:
    for recipe in (*NAMED, *drawn_recipes("training")[::5]):
        for seed, (length, rate) in enumerate(itertools.product(recipe.length, recipe.rate)):
            onsets, places = series(recipe.rhythm, length, rate, np.random.default_rng(seed))
            assert len(onsets) == len(places) >= 1
            assert (np.diff(onsets) > 0).all()
            assert 0 <= onsets.min() <= onsets.max() < 5, recipe
            assert ((places >= 0) & (places <= 1)).all()


def test_a_single_event_falls_anywhere_in_the_clip() -> None:
    onsets = [series("once", 0.5, 1.0, np.random.default_rng(seed))[0][0] for seed in range(200)]
    assert np.histogram(onsets, bins=4, range=(0, 4.4))[0].min() > 25


def test_a_clip_depends_on_its_seed_alone() -> None:
    recipe, bystanders = class_recipes("evaluation")[0], drawn_recipes("evaluation")
    one, same, other = (compose(recipe, bystanders, np.random.default_rng(seed)).waveform for seed in (1, 1, 2))
    assert one.shape == (5 * SAMPLE_RATE,)
    assert np.abs(one).max() <= 1
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_loudness_is_drawn_from_one_range_for_every_class() -> None:
    random = np.random.default_rng(0)
    peaks = [
        20 * np.log10(np.abs(compose(recipe, drawn_recipes("evaluation"), random).waveform).max())
        for recipe in itertools.islice(itertools.cycle(class_recipes("evaluation")), 60)
    ]
    assert -30.1 <= min(peaks) < -25
    assert -5 < max(peaks) <= -0.9


def test_descriptions_tell_the_source_and_sometimes_the_name() -> None:
    random = np.random.default_rng(0)
    (whistle,) = (recipe for recipe in class_recipes("training") if recipe.label == "hawk")
    sentences = [describe(compose(whistle, drawn_recipes("training"), random), random) for _ in range(20)]
    assert all(re.search("whistl|flute|piping", sentence) for sentence in sentences)
    assert 0 < sum("hawk" in sentence for sentence in sentences) < 20
    assert len(set(sentences)) > 15


def test_every_class_has_eight_explanations_of_its_own() -> None:
    known = explanations("soundscapes")
    assert set(known) == {recipe.label for recipe in NAMED}
    written = Counter(sentence for each in known.values() for sentence in each.explanations)
    assert set(written.values()) == {1}
    for label, each in known.items():
        assert len(each.explanations) == 8
        assert label.replace("_", " ") in each.prompt
        for sentence in each.explanations:
            words = set(re.findall(r"[a-z']+", sentence.lower()))
            assert words.isdisjoint({"not", "no", "without", "never", *label.split("_")}), (label, sentence)


def test_files_are_in_esc50s_layout_and_the_same_for_any_number_of_workers(tmp_path) -> None:
    one, two = (
        soundscapes.generate(tmp_path / str(workers), split="development", clips=2, workers=workers)
        for workers in (1, 2)
    )
    assert (one.name, one.revision, len(one.files)) == ("soundscapes-development", "1.0.2", 30)
    assert one.classes == tuple(sorted(recipe.label for recipe in class_recipes("development")))
    for file, same in zip(one.files, two.files, strict=True):
        assert file.path.read_bytes() == same.path.read_bytes()
    assert re.fullmatch(r"[1-5]-\d{6}-A-\d+\.wav", one.files[0].path.name)
    assert soundfile.info(one.files[0].path).duration == 5
    header = (tmp_path / "1" / "meta" / "esc50.csv").read_text().splitlines()[0]
    assert header == "filename,fold,target,category,esc10,src_file,take"


def test_what_is_there_is_kept_and_anything_else_refused(tmp_path) -> None:
    dataset = soundscapes.generate(tmp_path / "s", split="development", clips=1)
    before = dataset.files[0].path.stat().st_mtime_ns
    assert soundscapes.generate(tmp_path / "s", split="development", clips=1) == dataset
    assert dataset.files[0].path.stat().st_mtime_ns == before
    with pytest.raises(DataError, match=r"s: exists, and is not the soundscapes asked for .* name another folder"):
        soundscapes.generate(tmp_path / "s", clips=1)
    with pytest.raises(DataError, match="`split` all: choose evaluation, development, training"):
        soundscapes.generate(tmp_path / "t", split="all")
    dataset.files[3].path.unlink()
    with pytest.raises(DataError, match=f"{dataset.files[3].path.name}: missing, one of 1"):
        soundscapes.read(tmp_path / "s")
    with pytest.raises(DataError, match="mgcl data generate --root"):
        soundscapes.read(tmp_path)

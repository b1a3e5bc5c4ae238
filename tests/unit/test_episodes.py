"""Episodes: pure, valid, paired, and free of shared recordings where that is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgcl.data._episodes import check_drawable, draw, pool
from mgcl.errors import SweepError
from mgcl.records import Clip, Fold

CLIPS = [Clip(f"{label}{index}", label, f"{label}r{index // 2}") for label in "abcde" for index in range(10)]
FOLD = Fold("all", 0, tuple("abcde"))


def episode(clips=CLIPS, **changes):
    request = {"dataset": "d", "fold": FOLD, "way": 3, "shot": 2, "queries": 4, "seed": 0, "index": 0, **changes}
    return draw(pool(clips), **request)


def test_an_episode_is_pinned() -> None:
    drawn = episode()
    assert (drawn.seed, drawn.classes, drawn.support[0]) == (5517477742048349452, ("c", "d", "b"), ("c6", "c0"))


def test_the_order_of_the_bank_does_not_matter() -> None:
    assert episode(CLIPS[::-1]) == episode()


@pytest.mark.parametrize(
    "change", [{"dataset": "e"}, {"seed": 1}, {"index": 1}, {"shot": 1}, {"queries": 3}, {"way": 4}]
)
def test_every_part_of_its_identity_draws_another(change) -> None:
    assert episode(**change).support != episode().support


@given(way=st.integers(2, 5), shot=st.integers(1, 5), queries=st.integers(1, 5), index=st.integers(0, 10**6))
def test_an_episode_is_valid(way, shot, queries, index) -> None:
    drawn = episode(way=way, shot=shot, queries=queries, index=index)
    assert len(set(drawn.classes)) == way
    for label, support, query in zip(drawn.classes, drawn.support, drawn.query, strict=True):
        assert (len(support), len(query)) == (shot, queries)
        assert len({*support, *query}) == shot + queries
        assert all(clip_id.startswith(label) for clip_id in (*support, *query))


@given(shot=st.integers(1, 3), queries=st.integers(1, 4), index=st.integers(0, 10**6))
def test_split_source_keeps_recordings_apart(shot, queries, index) -> None:
    check_drawable(pool(CLIPS), fold=FOLD, way=3, shot=shot, queries=queries, split="source")
    drawn = episode(shot=shot, queries=queries, index=index, split="source")
    source = {clip.clip_id: clip.source for clip in CLIPS}
    heard = {source[clip_id] for row in drawn.support for clip_id in row}
    assert heard.isdisjoint(source[clip_id] for row in drawn.query for clip_id in row)
    assert all(len(row) == queries for row in drawn.query)
    assert drawn.support == episode(shot=shot, queries=queries, index=index).support


def test_a_recording_shared_by_two_classes_is_kept_apart_too() -> None:
    clips = [Clip(f"{label}{index}", label, f"r{index}") for label in "ab" for index in range(6)]
    fold = Fold("all", 0, ("a", "b"))
    with pytest.raises(SweepError, match="1-shot leaves 0 for 1 queries"):
        check_drawable(pool(clips), fold=fold, way=2, shot=1, queries=1, split="source")


def test_split_source_needs_known_sources() -> None:
    clips = [Clip(f"{label}{index}", label, None) for label in "ab" for index in range(4)]
    request = {"fold": Fold("all", 0, ("a", "b")), "way": 2, "shot": 2, "queries": 2}
    check_drawable(pool(clips), **request, split="clip")
    with pytest.raises(SweepError, match="the bank does not know the recording of 8 clips"):
        check_drawable(pool(clips), **request, split="source")


@st.composite
def recordings(draw_from) -> list[Clip]:
    """Two or three classes whose clips are cut from few recordings, some of them shared."""
    counts = draw_from(st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=2, max_size=3))
    return [
        Clip(f"{label}{source}-{index}", label, f"r{source}")
        for label, row in zip("abc", counts, strict=False)
        for source, count in enumerate(row)
        for index in range(count)
    ]


@given(clips=recordings(), shot=st.integers(1, 3), queries=st.integers(1, 6))
def test_what_is_drawable_is_drawn_in_full(clips, shot, queries) -> None:
    """The check is a bound: whatever it lets through, every episode fills every class."""
    by_label = pool(clips)
    fold = Fold("all", 0, tuple(by_label))
    try:
        check_drawable(by_label, fold=fold, way=len(fold.classes), shot=shot, queries=queries, split="source")
    except SweepError:
        return
    for index in range(40):
        drawn = episode(
            clips, fold=fold, way=len(fold.classes), shot=shot, queries=queries, index=index, split="source"
        )
        assert all(len(row) == queries for row in drawn.query)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"way": 6}, "6-way needs 6 classes, but fold 0 has 5"),
        ({"way": 1}, "at least 2 ways"),
        ({"shot": 0}, "1 shot"),
        ({"queries": 0}, "1 query"),
        ({"shot": 7}, r"class 'a' has 10 clips: 7-shot leaves 3 for 4 queries \(split 'clip'\)"),
        ({"shot": 4, "split": "source"}, "class 'a' has 10 clips: 4-shot leaves 2 for 4 queries"),
    ],
)
def test_a_cell_that_cannot_be_filled_is_refused(changes, message) -> None:
    request = {"fold": FOLD, "way": 3, "shot": 2, "queries": 4, "split": "clip", **changes}
    with pytest.raises(SweepError, match=message):
        check_drawable(pool(CLIPS), **request)


FOLDED = [Clip(f"{label}{index}", label, None, index % 5 + 1) for label in "abcde" for index in range(20)]


@given(index=st.integers(0, 10**6))
def test_split_fold_draws_queries_of_one_fold_of_clips_in_turn(index) -> None:
    check_drawable(pool(FOLDED), fold=FOLD, way=3, shot=16, queries=4, split="fold")
    drawn = episode(FOLDED, shot=16, queries=4, index=index, split="fold")
    fold = {clip.clip_id: clip.fold for clip in FOLDED}
    assert {fold[clip_id] for row in drawn.query for clip_id in row} == {index % 5 + 1}
    assert index % 5 + 1 not in {fold[clip_id] for row in drawn.support for clip_id in row}
    assert {len(row) for row in drawn.support} == {16}


@pytest.mark.parametrize(
    ("clips", "numbers", "words"),
    [
        (CLIPS, {}, "the bank's clips are of 0 folds, and 2 are needed"),
        (FOLDED, {"shot": 17}, "class 'a' has 4 clips in fold 1, for 4 queries, and 16 in the others, for 17 shots"),
        (FOLDED, {"queries": 5}, "class 'a' has 4 clips in fold 1, for 5 queries"),
    ],
)
def test_split_fold_needs_folds_with_enough_clips(clips, numbers, words) -> None:
    asked = {"fold": FOLD, "way": 3, "shot": 16, "queries": 4, "split": "fold", **numbers}
    with pytest.raises(SweepError, match=words):
        check_drawable(pool(clips), **asked)

"""The task of generalised audio-visual recognition: metrics, stages, words, tokens."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from sklearn.metrics import balanced_accuracy_score

from mgcl.errors import SweepError
from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.writer import write_bank
from mgcl.methods.recogniser import Inputs
from mgcl.tasks import generalised
from mgcl.tasks._generalised.calibration import GAMMAS, calibrated, harmonic_mean, recalls
from mgcl.tasks._generalised.parts import Stage, stage
from mgcl.tasks._generalised.substage import balanced
from mgcl.tasks._generalised.tokens import Source
from mgcl.tasks._generalised.words import derangement, named, word_vectors

CPU = torch.device("cpu")


def answered(seed: int, clips: int = 40, base: int = 3, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels; every class has a clip, and base classes are favoured."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(classes, size=clips - classes)])
    logits = random.standard_normal((clips, classes)) + 1.5 * np.eye(classes)[labels] + (np.arange(classes) < base)
    odds = np.exp(logits)
    return odds / odds.sum(-1, keepdims=True), labels


@given(seed=st.integers(0, 1000))
@settings(max_examples=50)
def test_gamma_is_that_of_an_exhaustive_search_over_where_answers_change(seed) -> None:
    """A clip's answer moves from base to novel where gamma passes its best base minus its best novel probability."""
    seen, labels = answered(seed)
    best_base, best_novel = seen[:, :3].argmax(-1), 3 + seen[:, 3:].argmax(-1)
    threshold = seen[:, :3].max(-1) - seen[:, 3:].max(-1)

    def curve(gamma: float) -> float:
        answers = np.where(gamma <= threshold, best_base, best_novel)
        hits = [np.mean(answers[labels == each] == each) for each in range(5)]
        base, novel = np.mean(hits[:3]), np.mean(hits[3:])
        return 2 * base * novel / (base + novel) if base + novel else 0.0

    gamma, found = calibrated(seen, labels, 3)
    figures = [curve(each) for each in GAMMAS]
    assert found.harmonic == pytest.approx(max(figures))
    assert gamma == next(each for each, figure in zip(GAMMAS, figures, strict=True) if figure > max(figures) - 1e-12)
    between = np.sort(np.concatenate([threshold, [0.0, 1.0]]))
    assert found.harmonic <= max(map(curve, between)) + 1e-12


def test_gamma_0_is_a_value_and_ties_take_the_smallest() -> None:
    perfect = np.eye(4)
    assert calibrated(perfect, np.arange(4), 2)[0] == 0.0
    assert tuple(np.round(np.arange(11) / 10, 1)) == GAMMAS


def test_gamma_1_leaves_base_classes_only_where_no_novel_class_has_a_share() -> None:
    seen = np.array([[1.0, 0.0, 0.0], [0.9, 0.0, 0.1], [0.0, 0.2, 0.8], [0.0, 1.0, 0.0]])
    assert recalls(seen, np.array([0, 0, 2, 1]), 2, 1.0).base == pytest.approx((0.5 + 1) / 2)


def test_recalls_are_means_over_classes_not_over_clips() -> None:
    seen, labels = answered(1)
    for gamma in (0.0, 0.3):
        once = recalls(seen, labels, 3, gamma)
        often = [*range(len(labels)), *(np.flatnonzero(labels == 1).tolist() * 3)]
        assert recalls(seen[often], labels[often], 3, gamma) == once
    answers = seen.argmax(-1)
    once = recalls(seen, labels, 3, 0.0)
    assert (3 * once.base + 2 * once.novel) / 5 == pytest.approx(balanced_accuracy_score(labels, answers))


def test_novel_classes_alone_depend_on_neither_gamma_nor_base_classes() -> None:
    seen, labels = answered(2)
    other = seen.copy()
    other[:, :3] = np.random.default_rng(0).random((len(seen), 3))
    assert len({recalls(each, labels, 3, gamma).alone for each in (seen, other) for gamma in (0.0, 0.5, 1.0)}) == 1
    novel = labels >= 3
    expected = balanced_accuracy_score(labels[novel], 3 + seen[novel, 3:].argmax(-1))
    assert recalls(seen, labels, 3, 0.2).alone == pytest.approx(expected)


def test_a_class_without_a_test_clip_is_an_error() -> None:
    with pytest.raises(ValueError, match="class 2 has no clip"):
        recalls(np.eye(3)[:2], np.array([0, 1]), 2, 0.0)


def test_the_harmonic_mean_of_nothing_is_0() -> None:
    assert harmonic_mean(np.array([[0.0, 0.0], [0.0, 0.7], [0.5, 0.5]])).tolist() == [0, 0, 0.5]


def test_hm_is_that_of_the_mean_recalls_and_stands_beside_the_mean_of_hms() -> None:
    hm, *_, of_a_draw = generalised.METRICS
    scores = {"base": (0.2, 0.6), "novel": (0.6, 0.2), "fsl": (0.5, 0.5), "hm of a draw": (0.3, 0.3)}
    assert hm.figure(scores) == pytest.approx(0.4)
    assert of_a_draw.figure(scores) == pytest.approx(0.3)


def places(bank: FeatureBank, rows: np.ndarray) -> Counter[tuple[str, str]]:
    """(Part, split) -> number of rows."""
    part = dict(zip(bank.row_of_class, bank.classes["part"].to_pylist(), strict=True))
    labels, splits = bank.clips["label"].to_pylist(), bank.clips["split"].to_pylist()
    return Counter((part[labels[row]], splits[row]) for row in rows)


def both(bank: FeatureBank, shot: int = 2, seed: int = 0, draw: int = 0) -> tuple[Stage, Stage]:
    one, two = (stage(bank, number, shot=shot, identity=(seed, number, draw)) for number in (1, 2))
    return one, two


def test_stages_take_the_clips_of_table_1(audio_visual_bank) -> None:
    one, two = both(audio_visual_bank)
    novel, test = "novel-validation", "novel-test"
    assert places(audio_visual_bank, one.base_rows) == {("base", "train"): 8 * 8}
    assert places(audio_visual_bank, one.novel_rows) == {(novel, "train"): 4 * 2}
    assert places(audio_visual_bank, one.tested_rows) == {("base", "validation"): 8 * 4, (novel, "validation"): 4 * 4}
    assert places(audio_visual_bank, two.base_rows) == {
        (part, split): count * clips
        for part, count in (("base", 8), (novel, 4))
        for split, clips in (("train", 8), ("validation", 4))
    }
    assert places(audio_visual_bank, two.novel_rows) == {(test, "train"): 4 * 2}
    assert places(audio_visual_bank, two.tested_rows) == {("base", "test"): 32, (novel, "test"): 16, (test, "test"): 16}


def test_no_clip_is_trained_on_and_tested(audio_visual_bank) -> None:
    for each in both(audio_visual_bank):
        learned = {*each.base_rows, *each.novel_rows}
        assert not learned & {*each.tested_rows}
        assert len(learned) == len(each.base_rows) + len(each.novel_rows)


def test_labels_are_those_of_the_clips(audio_visual_bank) -> None:
    labels = audio_visual_bank.clips["label"].to_pylist()
    for each in both(audio_visual_bank):
        for rows, own in (
            (each.base_rows, each.base_labels),
            (each.novel_rows, each.novel_labels),
            (each.tested_rows, each.tested_labels),
        ):
            assert [each.classes[label] for label in own] == [labels[row] for row in rows]
            assert (np.diff(own) >= 0).all()
        assert set(each.base_labels) == set(range(each.base))
        assert set(each.novel_labels) == set(range(each.base, len(each.classes)))


def test_draws_differ_by_seed_and_draw_and_are_not_nested(audio_visual_bank) -> None:
    drawn = [both(audio_visual_bank, 2, seed, draw)[1] for seed, draw in ((0, 0), (0, 1), (1, 0))]
    assert len({tuple(each.novel_rows) for each in drawn}) == 3
    assert len({tuple(each.tested_rows) for each in drawn}) == 1, "test clips are fixed, so draws are paired"
    assert not set(both(audio_visual_bank, 1)[1].novel_rows) <= set(both(audio_visual_bank, 2)[1].novel_rows)


def shuffled(bank: FeatureBank, path) -> FeatureBank:
    """The same bank with its rows in another order."""
    random = np.random.default_rng(4)
    clips = bank.clips.take(pa.array(random.permutation(len(bank.clips))))
    classes = bank.classes.take(pa.array(random.permutation(len(bank.classes))))
    tokens = {name: [np.array(row, np.float32) for row in clips[name].to_pylist()] for name in ("audio", "video")}
    return write_bank(
        path,
        bank.header,
        {
            **{name: clips[name].to_pylist() for name in ("clip_id", "label", "split")},
            **{name: Ragged.of(rows) for name, rows in tokens.items()},
        },
        {
            **{name: classes[name].to_pylist() for name in ("label", "part")},
            "word_vector": np.array(classes["word_vector"].to_pylist(), np.float32),
        },
    )


def test_the_order_of_a_banks_files_does_not_matter(audio_visual_bank, tmp_path) -> None:
    other = shuffled(audio_visual_bank, tmp_path / "other")
    ids = [bank.clips["clip_id"].to_pylist() for bank in (audio_visual_bank, other)]
    for one, two in zip(both(audio_visual_bank), both(other), strict=True):
        assert one.classes == two.classes
        for name in ("base_rows", "novel_rows", "tested_rows"):
            assert [ids[0][row] for row in getattr(one, name)] == [ids[1][row] for row in sorted_as(two, name, ids[1])]
        assert torch.equal(
            *(
                word_vectors("own", Source(bank, Inputs(), CPU), each, novel=True)
                for bank, each in ((audio_visual_bank, one), (other, two))
            )
        )


def sorted_as(of: Stage, name: str, ids: list[str]) -> list[int]:
    """Rows by label, then by id: a bank's rows are in order of ids here."""
    rows, labels = getattr(of, name), getattr(of, name.replace("rows", "labels"))
    return [row for _, _, row in sorted(zip(labels, (ids[row] for row in rows), rows, strict=True))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"shots": (9,)},
            r"class .* \(novel-validation\) has 8 clips of split 'train', where 9 are needed; lower `shots`",
        ),
        ({"shots": (0,)}, "`shots` 0: choose 1 or more"),
        ({"draws": 0}, "`draws` 0: choose 1 or more"),
    ],
)
def test_what_a_bank_cannot_give_is_refused(audio_visual_bank, changes, message) -> None:
    with pytest.raises(SweepError, match=message):
        generalised.cells(generalised.Draws(**changes), audio_visual_bank)


def test_a_bank_without_parts_is_refused(bank) -> None:
    with pytest.raises(SweepError, match="lacks split, part"):
        generalised.cells(generalised.Draws(), bank)


def test_every_class_and_every_clip_of_it_is_drawn_alike() -> None:
    labels = np.repeat(np.arange(4), (1, 5, 20, 100))
    drawn = np.concatenate(
        [next(each) for each in [balanced(np.random.default_rng(0), labels, 64)] for _ in range(300)]
    )
    assert chisquare(np.bincount(labels[drawn])).pvalue > 1e-3
    assert chisquare(np.bincount(drawn)[labels == 2]).pvalue > 1e-3


def test_words_go_by_name_whatever_rows_they_lie_in(tmp_path) -> None:
    """More than 128 classes whose names sort otherwise than their rows: sets of such numbers are in no order."""
    names = [f"Class {index}" if index % 2 else f"class {index}" for index in np.random.default_rng(0).permutation(300)]
    vectors = np.random.default_rng(1).standard_normal((300, 4)).astype(np.float32)
    bank = write_bank(
        tmp_path / "bank",
        Header("words", "1", "CC0-1.0", "drawn", tokens={"audio": Tokens(1.0), "video": Tokens(1.0)}),
        {
            "clip_id": ["one"],
            "label": names[:1],
            "audio": Ragged.of([np.ones((1, 2), np.float32)]),
            "video": Ragged.of([np.ones((1, 2), np.float32)]),
        },
        {"label": names, "word_vector": vectors},
    )
    asked = sorted(names)
    for label, vector in zip(asked, named(bank, asked), strict=True):
        assert np.array_equal(vector, vectors[names.index(label)])
    permuted = derangement(bank)
    assert sorted(permuted.values()) == asked
    assert all(label != other for label, other in permuted.items())


def source(bank: FeatureBank, **inputs: object) -> Source:
    return Source(bank, Inputs(**inputs), CPU)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_the_prototype_of_one_shot_is_that_clips_means(audio_visual_bank) -> None:
    _, two = both(audio_visual_bank, shot=1)
    found = word_vectors("prototypes", source(audio_visual_bank), two, novel=True)
    for row, label in zip(two.novel_rows, two.novel_labels, strict=True):
        halves = [audio_visual_bank.ragged(name)[row].astype(float) for name in ("audio", "video")]
        means = [unit(np.mean([unit(token) for token in half], 0)) for half in halves]
        assert found[label].numpy() == pytest.approx(np.concatenate(means), abs=1e-5)
    early = word_vectors("prototypes", source(audio_visual_bank), two, novel=False)
    assert not early[two.base :].any()
    assert torch.equal(early[: two.base], found[: two.base])


def test_label_codes_are_drawn_by_name_and_permuted_words_are_of_others(audio_visual_bank) -> None:
    _, two = both(audio_visual_bank)
    own, permuted, codes = (
        word_vectors(kind, source(audio_visual_bank), two, novel=True) for kind in ("own", "permuted", "codes")
    )
    assert not (own == permuted).all(-1).any()
    assert codes.norm(dim=-1).numpy() == pytest.approx(1, abs=1e-6)
    assert len(np.unique(codes.numpy(), axis=0)) == len(two.classes)
    assert word_vectors(None, source(audio_visual_bank), two, novel=True).shape == (len(two.classes), 0)


def test_tokens_are_those_of_the_clips_with_unit_length_and_their_seconds(audio_visual_bank) -> None:
    rows = np.array([5, 0, 77])
    clips = source(audio_visual_bank).clips(rows)
    for name, step in (("audio", 0.96), ("video", 0.64)):
        tokens = getattr(clips, name)
        assert tokens.seconds.numpy() == pytest.approx(step * np.arange(tokens.values.shape[1]), abs=1e-6)
        for index, row in enumerate(rows):
            expected = audio_visual_bank.ragged(name)[row]
            assert tokens.present[index].sum() == len(expected)
            assert not tokens.values[index, len(expected) :].any()
            for token, own in zip(tokens.values[index], expected, strict=False):
                assert token.numpy() == pytest.approx(unit(own), abs=1e-6)


def test_over_time_each_dimension_of_a_picture_has_unit_length(audio_visual_bank) -> None:
    clips = source(audio_visual_bank, normalise="time").clips(np.arange(4))
    assert clips.video.values.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert clips.audio.values.norm(dim=-1)[clips.audio.present].numpy() == pytest.approx(1, abs=1e-5)


def test_one_modality_is_absent_not_zero(audio_visual_bank) -> None:
    clips = source(audio_visual_bank, modalities="video").clips(np.arange(4))
    assert clips.audio.values.shape == (4, 0, 1)
    assert clips.video.present.any()
    assert Inputs(modalities="video").reads == ("video",)


def test_whole_numbers_of_8_bits_are_divided_by_255(audio_visual_bank) -> None:
    header = replace(audio_visual_bank.header, backbone="vggish-8bit and c3d")
    bits = replace(audio_visual_bank, header=header)
    found, expected = source(bits).clips(np.array([3])).audio.values[0], audio_visual_bank.ragged("audio")[3] / 255
    assert found.numpy() == pytest.approx(expected, abs=1e-6)


def test_windows_begin_at_one_time_in_both_modalities(audio_visual_bank) -> None:
    row = int(np.argmax(audio_visual_bank.ragged("audio").lengths))
    audio, video = (audio_visual_bank.ragged(name)[row] for name in ("audio", "video"))
    duration = max(0.96 * len(audio), 0.64 * len(video))
    cut = source(audio_visual_bank, train_seconds=2.0, test_seconds=2.0)
    middle = cut.clips(np.array([row]))
    start = (duration - 2.0) / 2
    for tokens, own, step in ((middle.audio, audio, 0.96), (middle.video, video, 0.64)):
        first = round(start / step)
        assert tokens.values.shape[1] == round(2.0 / step)
        assert tokens.values[0, 0].numpy() == pytest.approx(unit(own[first]), abs=1e-6)
        assert abs(first * step - start) <= step / 2
        assert tokens.seconds[0] == 0
    random = np.random.default_rng(0)
    several = [cut.clips(np.array([row]), random).audio.values for _ in range(8)]
    assert any(not torch.equal(several[0], each) for each in several)


def test_a_window_longer_than_the_clip_is_the_clip(audio_visual_bank) -> None:
    whole, cut = source(audio_visual_bank), source(audio_visual_bank, test_seconds=60.0)
    assert torch.equal(whole.clips(np.arange(9)).audio.values, cut.clips(np.arange(9)).audio.values)


def test_a_clip_without_a_modality_has_no_token_of_it(tmp_path) -> None:
    bank = write_bank(
        tmp_path / "gaps",
        Header("gaps", "1", "CC0-1.0", "drawn", tokens={"audio": Tokens(1.0, True), "video": Tokens(1.0, True)}),
        {
            "clip_id": ["one", "two"],
            "label": ["a", "a"],
            "audio": Ragged(np.ones((2, 3), np.float32), np.array([0, 0, 2])),
            "video": Ragged(np.ones((3, 2), np.float16), np.array([0, 3, 3])),
        },
        {"label": ["a"], "word_vector": np.ones((1, 2), np.float32)},
    )
    clips = source(bank).clips(np.array([0, 1]))
    assert clips.audio.present.tolist() == [[False, False], [True, True]]
    assert clips.video.present.tolist() == [[True] * 3, [False] * 3]
    assert clips.video.values.dtype == torch.float32

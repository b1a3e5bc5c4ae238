"""Several labels per clip, and clips of none of the classes: what is learnt, saved, and scored."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score

from mgcl import FewShotClassifier
from mgcl.classifier import embedding, label_scores, storage
from mgcl.classifier.answers import Answer
from mgcl.classifier.learner import Learner
from mgcl.classifier.one_vs_rest import OneVsRest, left_out
from mgcl.classifier.several import learnt
from mgcl.errors import ClassifierError, DataError, MgclWarning
from tests.generated_backbone import Bands
from tests.generated_sounds import RATE, waveform

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
SETS = [("hum",), ("beeps",), ("hum", "beeps"), ("siren",), ("hum", "siren"), ("siren",), ("beeps",), ("hum",)]


@pytest.fixture(scope="module", autouse=True)
def _bands() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "loaded_backbone", lambda *_: Bands())
        embedding.caption_choices.cache_clear()
        yield
    embedding.caption_choices.cache_clear()


def mixed(kinds: tuple[str, ...], number: int) -> tuple[np.ndarray, int]:
    return np.sum([waveform(kind, number) for kind in kinds], axis=0) / 3, RATE


def clips(first: int = 0, sets=SETS) -> list[tuple[np.ndarray, int]]:
    return [mixed(kinds, number) for number, kinds in enumerate(sets, start=first)]


def several(method: str = "ridge", **options) -> FewShotClassifier:
    return FewShotClassifier(method=method, multi_label=True, **options)  # by sounds alone: Bands knows no words


def truth() -> np.ndarray:
    return np.array([[label in own for label in ("beeps", "hum", "siren")] for own in SETS], int)


def hiss(first: int, count: int) -> list[tuple[np.ndarray, int]]:
    return [(waveform("hiss", number) / 3, RATE) for number in range(first, first + count)]


@pytest.fixture(scope="module")
def fitted() -> FewShotClassifier:
    return several().fit(clips(), SETS, background=hiss(0, 4))


def test_a_clip_is_given_every_class_that_reaches_its_threshold(fitted) -> None:
    shares = fitted.predict_proba(clips(20))
    assert (fitted.predict(clips(20)) == (shares >= fitted.thresholds_)).all()
    assert fitted.score(clips(20), SETS) == pytest.approx((fitted.predict(clips(20)) == truth()).all(1).mean())
    assert (fitted.predict(clips(20)) == truth()).mean() > 0.8
    assert fitted.predict(hiss(20, 3)).any(1).mean() < 0.5
    found = list(fitted.answers(clips()))
    both = next(each for each in found if len(each.named) == 2)
    assert both.label == ";".join(both.named)
    assert both.probabilities[both.named[0]] >= both.probabilities[both.named[1]]
    assert not next(fitted.answers([(np.zeros(RATE), RATE)])).named
    assert fitted.background_.clips == 4
    assert fitted.background_.named <= 0.25


def test_the_labels_of_a_clip_have_several_forms(fitted) -> None:
    by_matrix = several().fit([*clips(), *hiss(0, 4)], np.vstack([truth(), np.zeros((4, 3))]))
    assert list(by_matrix.classes_) == [0, 1, 2], "a row of zeros is background"
    assert by_matrix.background_.clips == 4
    pairs = [(clip, label) for clip, own in zip(clips(), SETS, strict=True) for label in own]
    by_pairs = several().fit([clip for clip, _ in pairs], [label for _, label in pairs], background=hiss(0, 4))
    assert by_pairs.logits(clips(20)) == pytest.approx(fitted.logits(clips(20)), abs=1e-4)
    assert cross_val_score(several(), clips() + clips(20), np.tile(truth(), (2, 1)), cv=2).shape == (2,)


def test_saved_and_loaded_it_answers_alike(fitted, tmp_path) -> None:
    for method, options in (("ridge", {}), ("multi_grained_kernel", {}), ("mgcl", {"epochs": 1})):
        first = fitted if method == fitted.method else several(method, **options).fit(clips(), SETS)
        first.save(tmp_path / method)
        again = FewShotClassifier.load(tmp_path / method)
        assert (again.logits(clips(20)) == first.logits(clips(20))).all()
        assert (again.predict(clips(20)) == first.predict(clips(20))).all()
        assert again.background_ == first.background_
    plain = FewShotClassifier().fit(clips()[:4], ["a", "b", "a", "b"])
    plain.save(tmp_path / "plain")
    assert '"format": 4' in (tmp_path / "plain" / storage.FACTS).read_text(), "older mgcl reads it"


def test_what_is_added_is_as_if_it_had_been_there(fitted, monkeypatch) -> None:
    at_first = several().fit(clips()[:6], SETS[:6], background=hiss(0, 2))
    embedded = []
    as_before = Bands.embed_audio
    monkeypatch.setattr(Bands, "embed_audio", lambda *given: embedded.append(len(given[1])) or as_before(*given))
    with pytest.warns(MgclWarning, match="each counts once"):
        at_first.add_classes(clips(), SETS, background=hiss(0, 4))
    assert sum(embedded) == 4, "two clips and two of the background are new"
    assert at_first.logits(clips(20)) == pytest.approx(fitted.logits(clips(20)), abs=1e-4)
    at_first.remove_class("siren")
    assert list(at_first.classes_) == ["beeps", "hum"]
    assert list(at_first.rename_class("hum", "drone").classes_) == ["beeps", "drone"]
    assert at_first.background_.clips == 4
    before = len(at_first.model_.background.names)
    at_first.add_classes([], [], background=hiss(9, 1))
    assert len(at_first.model_.background.names) == before + 1


def test_parts_and_shares_sum_to_the_logits(fitted) -> None:
    (clip,) = clips(30, SETS[2:3])
    reasons = fitted.explain(clip)
    for label, logit in zip(fitted.classes_, fitted.logits([clip])[0], strict=True):
        assert sum(part[label] for part in reasons.parts.values()) == pytest.approx(logit, abs=1e-4)
        own = sum(share.parts["clips"] for share in reasons.support if share.label == label)
        assert own == pytest.approx(reasons.parts["clips"][label], abs=1e-4)
    assert not reasons.is_turned_away


def test_background_teaches_one_label_when_to_say_none() -> None:
    alone = [row for row, own in enumerate(SETS) if len(own) == 1 and own != ("siren",)]
    given, labels = [clips()[row] for row in alone], [SETS[row][0] for row in alone]
    classifier = FewShotClassifier(method="ridge", reject_label="?").fit(
        given, labels, background=hiss(0, 4)
    )  # of two classes
    assert list(classifier.predict(hiss(20, 3))) == ["?"] * 3
    assert "?" not in classifier.predict(given)
    assert classifier.background_.named == 0
    assert 0.5 <= classifier.background_.probability <= classifier.background_.highest <= 1
    with pytest.raises(ClassifierError, match="give `reject_label` or `multi_label` too"):
        FewShotClassifier().fit(given, labels, background=hiss(0, 1))


def test_what_cannot_be_learnt_is_refused() -> None:
    with pytest.raises(ClassifierError, match="2 of 2 clips have the label 'hum'"):
        several().fit(clips()[:2], [("hum",), ("hum", "beeps")])
    with pytest.raises(ClassifierError, match="leave out `reject_label`"):
        FewShotClassifier(multi_label=True, reject_label="?").fit(clips(), SETS)
    with pytest.raises(ClassifierError, match="'dog;rain': ';' stands between"):
        several().fit(clips()[:2], ["dog;rain", "hum"])
    with pytest.raises(ClassifierError, match="holds 0 and 1 alone"):
        several().fit(clips()[:2], np.array([[0, 2], [1, 0]]))
    with pytest.raises(DataError, match=r"is the same sound as array 0 \(hum\): leave it out of one, or of both$"):
        several().fit(clips()[:2], ["hum", "beeps"], background=clips()[:1])
    with pytest.raises(DataError, match="or let clips have `multi_label`"):
        FewShotClassifier().fit([*clips()[:2], clips()[0]], ["hum", "beeps", "beeps"])
    with pytest.warns(MgclWarning, match="no class has two clips"):
        lone = several().fit(clips()[:2], SETS[:2])
    assert list(lone.thresholds_) == [0.5, 0.5]


def test_parts_hold_few_clips_of_a_class() -> None:
    drawn = np.random.default_rng(0).random((60, 4)) < [0.6, 0.3, 0.1, 0.05]
    parts = left_out(drawn, seed=0)
    assert np.bincount(parts).min() >= 2
    for column in drawn.T:
        own = np.bincount(parts[column], minlength=20)
        assert own.max() <= max(1, -(-column.sum() // 10))
    assert sorted(left_out(drawn[:7], seed=1)) == list(range(7))


def test_left_out_clips_are_scored_as_by_a_fit_without_them(fitted) -> None:
    model = fitted.model_
    _, own_classes = model.scorer.cross_fitted(model.support, seed=0)
    assert own_classes.sum(0).tolist() == [3, 4, 3]
    with pytest.warns(MgclWarning):  # a class of one clip, or none that is left
        without = several().fit(clips()[1:3], SETS[1:3], background=hiss(0, 1))
    learner = Learner.named("ridge", {})
    scorer = OneVsRest(learner, without.model_.background.clips)
    own, there = scorer.cross_fitted(without.model_.support, seed=0)
    assert there.tolist() == [[True, False], [True, True], [False, False]]
    assert torch.isnan(own).tolist() == [[False, False], [False, True], [True, False]]


def test_probabilities_are_those_of_least_loss_where_there_are_many_clips() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (4000, 2))
    own = random.random((4000, 2)) < 1 / (1 + np.exp(-(logits - [1.0, -2.0]) / 2.0))
    temperature, found = learnt(logits, own, prior=7.0)
    assert temperature == pytest.approx(2.0, rel=0.1)
    assert found.offsets == pytest.approx([1.0, -2.0], abs=0.3)
    apart = np.array([[5.0], [4.0], [-4.0], [-5.0]])
    _, sure = learnt(apart, apart > 0, prior=1.0)
    assert sure.probabilities(apart, 1.0).max() < 1
    assert (sure.precision, sure.f1) == (1, 1)


def test_verdict_of_several_labels() -> None:
    def answer(clip: str, named: tuple[str, ...], **shares: float) -> Answer:
        return Answer(clip, ";".join(named), shares, labels=named)

    found = label_scores.judge(
        [("cat", "dog"), ("dog",), (), ("owl",)],
        [
            answer("a", ("dog",), cat=0.4, dog=0.9),
            answer("b", ("dog", "cat"), cat=0.6, dog=0.8),
            answer("c", (), cat=0.1, dog=0.2),
            answer("d", ("dog",), cat=0.1, dog=0.7),
        ],
    )
    assert found.classes["dog"].precision == pytest.approx(2 / 3)
    assert (found.classes["dog"].recall, found.classes["dog"].average_precision) == (1, 1)
    assert (found.classes["cat"].recall, found.classes["cat"].precision) == (0, 0)
    assert found.micro_f1 == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert found.macro_f1 == pytest.approx(0.8 / 2)
    assert found.mean_average_precision == pytest.approx(0.75)
    assert (found.exact, found.nothing, found.foreign) == (0.25, 0.25, 0.5)
    assert [each.clip for each in found.wrong] == ["a", "b", "d"]
    at = {each.probability: (each.recall, each.precision) for each in found.thresholds}
    assert at[0.8] == (pytest.approx(2 / 3), 1.0)
    assert at[0.99] == (0.0, None)

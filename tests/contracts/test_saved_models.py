"""Models that earlier commits saved are read, and answer as they did."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgcl import FewShotClassifier
from mgcl.backbones import tiny
from mgcl.classifier import embedding, storage
from mgcl.classifier.card import facts
from mgcl.classifier.index.header import Header, backbone_of
from tests.generated_backbone import Bands
from tests.generated_sounds import KINDS, RATE, waveform

SAVED = Path(__file__).with_name("saved_model")
"""``fitted().save(SAVED)`` and its ``answers()``, as commit a076928 wrote them (format 2, with none_label)."""
SHARED = Path(__file__).parents[3] / "shared" / "data"
RECORDED = SHARED / "bb33c7b"
RECORDINGS = SHARED / "esc10" / "audio"
FORMER = sorted((tiny.SHIPPED / "former").iterdir())
FORMAT_1 = ("backbone", "weights", "sample_rate", "reject_label", "random_state", "verbose")
TOLERANCE = 1e-5


@pytest.fixture
def bands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(embedding, "loaded_backbone", lambda *_: Bands())
    embedding.caption_choices.cache_clear()
    yield
    embedding.caption_choices.cache_clear()


def sounds(numbers: range, kinds: tuple[str, ...] = KINDS) -> list[tuple[np.ndarray, int]]:
    return [(waveform(kind, number), RATE) for kind in kinds for number in numbers]


def fitted() -> FewShotClassifier:
    labels = [kind for kind in KINDS[:3] for _ in range(3)]
    return FewShotClassifier(method="mgcl", reject_label="none of these").fit(sounds(range(3), KINDS[:3]), labels)


def answers(classifier: FewShotClassifier) -> dict[str, object]:
    """Labels and probabilities of eight clips, and the reasons for one."""
    clips = sounds(range(3, 5))
    reasons = classifier.explain(clips[0]).to_json()
    del reasons["answer"], reasons["alignment"]
    found = [{"label": each.label, "probabilities": each.probabilities} for each in classifier.answers(clips)]
    return {"answers": found, "logits": classifier.logits(clips).tolist(), "reasons": reasons}


def close(found: object, expected: object, place: str = "") -> None:
    """See whether two trees of json are alike, numbers up to the tolerance."""
    if isinstance(expected, dict):
        assert isinstance(found, dict), place
        assert found.keys() == expected.keys(), place
        for key in expected:
            close(found[key], expected[key], f"{place}/{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list), place
        assert len(found) == len(expected), place
        for row, (one, other) in enumerate(zip(found, expected, strict=True)):
            close(one, other, f"{place}/{row}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE), place
    else:
        assert found == expected, place


def as_json(content: object) -> object:
    return json.loads(json.dumps(content))


@pytest.mark.usefixtures("bands")
def test_the_saved_model_answers_as_when_it_was_saved() -> None:
    close(as_json(answers(FewShotClassifier.load(SAVED))), json.loads((SAVED / "answers.json").read_text()))


@pytest.mark.usefixtures("bands")
def test_a_fit_on_the_same_sounds_is_the_saved_model() -> None:
    classifier = fitted()
    # the prior of the temperature has been measured anew since
    temperature = FewShotClassifier.load(SAVED).temperature_
    assert classifier.temperature_ == pytest.approx(temperature, rel=1)
    classifier.model_ = replace(classifier.model_, temperature=temperature)
    close(as_json(answers(classifier)), json.loads((SAVED / "answers.json").read_text()))


@pytest.mark.usefixtures("bands")
def test_saved_again_it_answers_alike(tmp_path: Path) -> None:
    FewShotClassifier.load(SAVED).save(tmp_path)
    assert answers(FewShotClassifier.load(tmp_path)) == answers(FewShotClassifier.load(SAVED))


@pytest.mark.skipif(not (RECORDED.is_dir() and RECORDINGS.is_dir()), reason=f"{RECORDED} is not here")
def test_a_model_of_real_recordings_answers_as_when_it_was_saved() -> None:
    expected = [json.loads(line) for line in (RECORDED / "answers.jsonl").read_text().splitlines()]
    classifier = FewShotClassifier.load(RECORDED / "model")
    found = list(classifier.answers([RECORDINGS / Path(each["clip"]).name for each in expected]))
    assert len(found) == 30
    for one, other in zip(found, expected, strict=True):
        assert (one.label, one.in_support, one.silent) == (other["label"], other["in_support"], other["silent"])
        assert one.probabilities == pytest.approx(other["probabilities"], abs=TOLERANCE)


@pytest.mark.parametrize("folder", FORMER, ids=lambda folder: folder.name)
def test_models_and_indexes_of_former_weights_open(folder: Path, tmp_path: Path) -> None:
    assert tiny.load(str(folder)).fingerprint == folder.name != tiny.load().fingerprint
    labels = [kind for kind in KINDS[:3] for _ in range(3)]
    classifier = FewShotClassifier("tiny", weights=str(folder)).fit(sounds(range(3), KINDS[:3]), labels)
    classifier.save(tmp_path)
    assert json.loads((tmp_path / "model.json").read_text())["estimator"].get("weights") is None
    loaded = FewShotClassifier.load(tmp_path)
    clips = sounds(range(3, 5))
    assert loaded.logits(clips) == pytest.approx(classifier.logits(clips))
    header = Header.of("tiny", None, tiny.load(str(folder)), window=1.0, hop=0.5, channels="average")
    assert backbone_of(header, tmp_path).fingerprint == folder.name


def test_the_facts_of_older_models_are_told() -> None:
    """Models of format 1 lack what was asked for later, such as how channels become one."""
    model, about = storage.read(SAVED)
    older = {**about, "estimator": {key: value for key, value in about["estimator"].items() if key in FORMAT_1}}
    assert facts(model, older)["channels"] == "average"

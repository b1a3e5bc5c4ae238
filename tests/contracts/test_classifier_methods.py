"""A classifier takes every method of the catalogue: it is fitted, saved, opened and explained without knowing which."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mgcl import FewShotClassifier
from mgcl.catalogue import names
from mgcl.classifier import embedding
from mgcl.classifier.page import why
from mgcl.errors import ClassifierError, MgclError
from tests.generated_backbone import Bands
from tests.generated_sounds import KINDS, RATE, waveform

KNOWN = KINDS[:3]
SUPPORT = [(waveform(kind, number), RATE) for kind in KNOWN for number in range(3)]
LABELS = [kind for kind in KNOWN for _ in range(3)]
QUERY = [(waveform(kind, 3), RATE) for kind in KINDS]
READS_OTHER_COLUMNS = "mel_statistics"


@pytest.fixture(autouse=True)
def bands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(embedding, "loaded_backbone", lambda *_: Bands())
    embedding.caption_choices.cache_clear()
    yield
    embedding.caption_choices.cache_clear()


@pytest.mark.parametrize("name", [name for name in names("method", "few_shot") if name != READS_OTHER_COLUMNS])
def test_every_method_is_fitted_saved_opened_and_explained(name: str, tmp_path: Path) -> None:
    classifier = FewShotClassifier(method=name, reject_label="none").fit(SUPPORT, LABELS)
    classifier.save(tmp_path)
    again = FewShotClassifier.load(tmp_path)
    assert again.get_params() == {**classifier.get_params(), "backbone": "tiny"}
    assert (again.logits(QUERY) == classifier.logits(QUERY)).all()
    assert set(again.predict(QUERY)) <= {*KNOWN, "none"}
    reasons = again.explain(QUERY[0])
    logits = again.logits(QUERY[:1])[0]
    total = [sum(part[label] for part in reasons.parts.values()) for label in KNOWN]
    assert total == pytest.approx([logits[list(again.classes_).index(label)] for label in KNOWN], rel=1e-5)
    assert "<svg" in why(reasons, again.sound(QUERY[0]), RATE, name="clip")


def test_a_method_that_reads_what_no_classifier_has_is_refused() -> None:
    with pytest.raises(ClassifierError, match="mel statistics"):
        FewShotClassifier(method=READS_OTHER_COLUMNS).fit(SUPPORT, LABELS)


def test_a_method_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        MgclError, match=r"no method is called 'mcgl'; the nearest is 'mgcl'; there are: clip_adapter, "
    ):
        FewShotClassifier(method="mcgl").fit(SUPPORT, LABELS)


def test_options_are_those_of_the_method() -> None:
    assert FewShotClassifier(method="tip_adapter", beta=2.0).get_params()["beta"] == 2.0
    with pytest.raises(TypeError, match="no option is called epsilon"):
        FewShotClassifier(method="tip_adapter", epsilon=0.1)

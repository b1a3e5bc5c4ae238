"""Export as an ONNX graph: what onnxruntime computes from it, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from mgcl import FewShotClassifier
from mgcl.classifier import onnx_graph
from mgcl.errors import ClassifierError
from tests.checkpoints import efficientat
from tests.generated_sounds import KINDS, RATE, waveform

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore::mgcl.errors.MgclWarning")
SUPPORT = [(waveform(kind, number), RATE) for kind in KINDS[:3] for number in range(2)]
LABELS = [kind for kind in KINDS[:3] for _ in range(2)]


def fitted(method: str, **about) -> FewShotClassifier:
    return FewShotClassifier(method=method, **about).fit(SUPPORT, LABELS)


def weights(kind: str, folder: Path) -> dict[str, str]:
    return {"backbone": kind, **({"weights": efficientat.make(folder)} if kind == "efficientat" else {})}


@pytest.mark.parametrize(("kind", "method"), [("tiny", "logistic_regression"), ("efficientat", "proker")])
def test_the_graph_answers_as_the_classifier_does(kind, method, tmp_path, hub, monkeypatch) -> None:
    sentences = next(hub.glob("hub/models--sentence-transformers--*/snapshots/*"))
    monkeypatch.setenv("MGCL_EFFICIENTAT_TEXT", str(sentences))
    classifier, file = fitted(method, **weights(kind, tmp_path)), tmp_path / "model.onnx"
    converted, programs = onnx_graph._converted, []
    monkeypatch.setattr(onnx_graph, "_converted", lambda *given: programs.append(converted(*given)) or programs[0])
    assert onnx_graph.export_onnx(classifier, file) <= onnx_graph.TOLERANCE
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map[onnx_graph.METADATA])
    assert about["classes"] == sorted(KINDS[:3])
    rate, samples = about["sample_rate"], about["samples"]
    clips = [classifier.sound((waveform(each, 5, 6.0), RATE)).waveform for each in KINDS]
    assert {len(each) for each in clips} == {samples}
    (probabilities,) = session.run(["probabilities"], {"waveforms": np.stack(clips)})
    own = classifier.predict_proba([(each, rate) for each in clips])
    np.testing.assert_allclose(probabilities, own, rtol=0, atol=1e-4)
    written = file.read_bytes()
    monkeypatch.setattr(onnx_graph, "TOLERANCE", -1.0)
    monkeypatch.setattr(onnx_graph, "_converted", lambda *_: programs[0])
    with pytest.raises(ClassifierError, match=r"differs from the classifier by .* it was not kept"):
        onnx_graph.export_onnx(classifier, file)
    assert file.read_bytes() == written


def test_what_is_no_fixed_function_is_refused_by_name(tmp_path) -> None:
    for method, why in (
        ("multi_grained_kernel", "iterates until it converges"),
        ("knn", "cannot be written as an ONNX"),
    ):
        with pytest.raises(ClassifierError, match=f"{why}.*; fit again with `mgcl fit --method` logistic_regression"):
            onnx_graph.export_onnx(fitted(method, backbone="tiny"), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_is_not_kept_without_a_check(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(onnx_graph, "missing", lambda *_: "onnx: pip install 'mgcl[onnx]'")
    with pytest.raises(ClassifierError, match=r"exporting needs onnx: pip install 'mgcl\[onnx\]'"):
        onnx_graph.export_onnx(fitted("prototypical", backbone="tiny"), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_several_labels_per_clip_are_refused(tmp_path) -> None:
    classifier = FewShotClassifier(method="logistic_regression", multi_label=True)
    classifier.fit(SUPPORT, [[label] for label in LABELS])
    with pytest.raises(ClassifierError, match="several labels per clip cannot be written as a graph"):
        onnx_graph.export_onnx(classifier, tmp_path / "model.onnx")

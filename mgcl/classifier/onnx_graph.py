"""Export of a fitted classifier as one ONNX graph, from the samples of a window to probabilities.

The graph holds the backbone, its front end included, and the method's scores; resampling and the cutting of clips stay
outside. It is kept only if onnxruntime computes what the classifier computes.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgcl import __version__
from mgcl.backbones.backbone import Backbone, Exportable
from mgcl.classifier.fitted import Fitted
from mgcl.classifier.model import Model
from mgcl.errors import ClassifierError
from mgcl.extras import missing
from mgcl.files import replacing
from mgcl.methods.method import ClipFeatures
from mgcl.transport.cost import unit

TOLERANCE = 1e-4
"""Greatest difference of a probability, and of a logit in the unit of the window's greatest logit or 1."""
INPUT, LOGITS, PROBABILITIES = "waveforms", "logits", "probabilities"
"""Names of the graph's input, of shape (windows, samples), and outputs, of shape (windows, classes)."""
METADATA = "mgcl"
"""Key of the graph's metadata, a json object: classes, sample rate, samples, threshold and more."""
_FIXED = "`mgcl fit --method` logistic_regression, proker or cross_modal_probe"


class _Head(nn.Module):
    """A method's scores of embedded clips, and their probabilities."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def forward(self, segments: Float[Tensor, "b n d"], clip: Float[Tensor, "b d"]) -> tuple[Tensor, Tensor]:
        clips = ClipFeatures(unit(segments), unit(clip), None)
        logits = self._model.learner.predict(self._model.fitted, clips).logits
        return logits, (logits / self._model.temperature).softmax(-1)


class _Graph(nn.Module):
    """Samples -> logits and probabilities."""

    def __init__(self, backbone: Exportable, model: Model) -> None:
        super().__init__()
        self.tower, self._features, self._head = backbone.tower, backbone.features, _Head(model)

    def forward(self, waveforms: Float[Tensor, "b samples"]) -> tuple[Tensor, Tensor]:
        features = self._features(waveforms)
        found: tuple[Tensor, Tensor] = self._head(features.segments, features.clip)
        return found


def export_onnx(classifier: Fitted, file: Path) -> float:
    """Write a classifier as an ONNX graph, after comparing it with the classifier on test windows.

    The graph takes ``waveforms`` of shape (windows, samples), float32 at ``sample_rate_`` and of ``seconds_``, and
    returns ``logits`` and ``probabilities`` of shape (windows, classes).

    Args:
        classifier: fitted, on the CPU.
        file: file to write; an existing one is replaced.

    Returns:
        The greatest difference of a probability on the test windows.

    Raises:
        ClassifierError: a package is missing; the backbone cannot be exported; the method's scores are not a fixed
            function of the clip; or the graph computes something else.
    """
    if lacking := missing("onnx", "onnxruntime", "onnxscript"):
        raise ClassifierError(f"exporting needs {lacking}")
    backbone, model = classifier._backbone, classifier.model_
    if not isinstance(backbone, Exportable):
        raise ClassifierError(
            f"the backbone {backbone.name} cannot be written as an ONNX graph, tiny and efficientat can; fit with one "
            "of these"
        )
    _refuse_unfixed(model)
    windows = _windows(backbone)
    with torch.no_grad():
        graph = _Graph(backbone, model).eval()
        graph(windows)  # values that are computed once and cached shall not be those of a trace
        program = _converted(graph, windows[:2])
        program.model.metadata_props[METADATA] = json.dumps(_about(classifier, model, backbone), ensure_ascii=False)
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as draft:
            program.save(draft)
            return _compared(draft, classifier, backbone, windows)


def _refuse_unfixed(model: Model) -> None:
    """Refuse several labels per clip, and a method that reads captions or whose operations depend on the clip.

    Raises:
        ClassifierError: the model is such a one.
    """
    if model.several is not None:
        raise ClassifierError("a model of several labels per clip cannot be written as a graph; fit one label per clip")
    name, parameters = model.learner.name, model.learner.parameters
    if model.learner.needs_captions:
        raise ClassifierError(f"the method {name} reads a caption of each clip; fit again with {_FIXED}")
    if hasattr(parameters, "matching"):
        raise ClassifierError(
            f"the method {name} matches segments by a transport that iterates until it converges, so its scores are no "
            f"fixed function of the clip; fit again with {_FIXED}"
        )


def _converted(graph: nn.Module, windows: Tensor) -> Any:
    """ONNX program of a graph, for any number of windows.

    Raises:
        ClassifierError: an operation has no counterpart in ONNX.
    """
    try:
        with _quietly():
            return torch.onnx.export(
                graph,
                (windows,),
                input_names=[INPUT],
                output_names=[LOGITS, PROBABILITIES],
                dynamic_shapes=({0: torch.export.Dim("windows", min=1, max=1024)},),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # torch raises many types
        lines = [line for line in str(error).splitlines() if "No ONNX function found" in line] or [repr(error)]
        raise ClassifierError(
            f"the classifier cannot be written as an ONNX graph ({lines[0][:200]}); fit again with {_FIXED}"
        ) from None


def _compared(file: Path, classifier: Fitted, backbone: Backbone, windows: Tensor) -> float:
    """Greatest difference of a probability between the written graph and the classifier.

    Raises:
        ClassifierError: a difference is above ``TOLERANCE``.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    model, worst = classifier.model_, 0.0
    for window in torch.split(windows, 1):  # unlike the number that was traced
        logits, probabilities = session.run([LOGITS, PROBABILITIES], {INPUT: window.numpy()})
        features = backbone.embed_audio(window)
        own = model.logits(ClipFeatures(unit(features.segments), unit(features.clip), None))
        difference = float(np.abs(probabilities - model.probabilities(own)).max())
        if not max(difference, float(np.abs(logits - own).max()) / max(1.0, float(np.abs(own).max()))) <= TOLERANCE:
            raise ClassifierError(
                f"the ONNX graph differs from the classifier by {difference:.1e} in a probability, where {TOLERANCE:g} "
                "is allowed; it was not kept"
            )
        worst = max(worst, difference)
    return worst


def _windows(backbone: Backbone) -> Float[Tensor, "4 samples"]:
    """Noise, knocks, a rising tone, and silence."""
    rate, count = backbone.sample_rate, round(backbone.seconds * backbone.sample_rate)
    time = torch.arange(count) / rate
    noise = 0.1 * torch.randn(count, generator=torch.Generator().manual_seed(0))
    knocks = torch.sin(2 * torch.pi * 900 * time) * torch.exp(-(time % 1) * 30)
    tone = 0.5 * torch.sin(2 * torch.pi * (200 + 200 * time) * time)
    return torch.stack([noise, knocks, tone, torch.zeros(count)])


def _about(classifier: Fitted, model: Model, backbone: Backbone) -> dict[str, Any]:
    return {
        "classes": list(model.classes.labels),
        "sample_rate": backbone.sample_rate,
        "samples": round(backbone.seconds * backbone.sample_rate),
        "temperature": model.temperature,
        "threshold": model.threshold,
        "reject_label": classifier.reject_label,
        "backbone": backbone.name,
        "fingerprint": backbone.fingerprint,
        "method": model.learner.name,
        "version": __version__,
    }


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence torch's notes on its own internals."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)

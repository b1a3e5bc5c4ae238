"""The fitted state of an estimator: a model, and the backbone that embeds clips for it."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from mgcl.backbones import default
from mgcl.backbones.backbone import Backbone
from mgcl.classifier import embedding, learning
from mgcl.classifier.answers import Answer
from mgcl.classifier.arguments import Captions, check_as_many, check_captions, label_sets_of
from mgcl.classifier.background import Background
from mgcl.classifier.calibration import TurnedAway
from mgcl.classifier.given import Clip, Samples, Sounds, clips
from mgcl.classifier.learner import Learner, options_of
from mgcl.classifier.learning import Sentences
from mgcl.classifier.model import Examples, Model
from mgcl.classifier.recogniser import Recogniser
from mgcl.classifier.sounds import Sound, all_decoded, decoded, read
from mgcl.errors import ClassifierError, DataError, MgclWarning
from mgcl.progress import Bar
from mgcl.records import Value


class Fitted:
    """Fitted attributes and shared internals of ``FewShotClassifier``, which sets these parameters."""

    backbone: str | None
    weights: str | None
    device: str
    sample_rate: int | None
    channels: Any
    one_window: bool
    reject_label: Any
    reject_rate: float
    multi_label: bool
    verbose: bool
    method: str

    model_: Model
    backbone_: str
    classes_: NDArray[Any]

    @property
    def temperature_(self) -> float:
        """Temperature τ of the probabilities softmax(logits / τ), > 0."""
        return self._model.temperature

    @property
    def sample_rate_(self) -> int:
        """Sample rate of the backbone's input, in Hz."""
        return self._backbone.sample_rate

    @property
    def seconds_(self) -> float:
        """Length of the backbone's input, in seconds."""
        return self._backbone.seconds

    @property
    def threshold_(self) -> float | None:
        """Rejection threshold: a clip whose greatest logit is below it is rejected; None: no clip is."""
        return self._model.threshold

    @property
    def thresholds_(self) -> NDArray[np.float64] | None:
        """Probability from which each class is named, shape (classes,); None without ``multi_label``."""
        several = self._model.several
        return None if several is None else np.array(several.thresholds)

    @property
    def background_(self) -> Background | None:
        """Answers to the clips of ``background`` by models that were learnt without them; None: there are none."""
        return self._model.heard

    @property
    def turned_away_(self) -> TurnedAway | None:
        """Shares of known and foreign clips that are rejected; None without a threshold and for older mgcl's models."""
        return self._model.turned_away

    def sound(self, clip: Any) -> Sound:
        """The backbone's input for one clip, given as in ``fit``; a ``Sound`` is returned as it is.

        Raises:
            DataError: the file cannot be decoded; names it.
        """
        if isinstance(clip, Sound):
            return clip
        return decoded(next(self._read(self._clips([clip]))))

    def windows(self, path: str | Path, *, every: float, length: float | None = None) -> Iterator[Answer | DataError]:
        """Answer along a recording of any length, once per window, lazily.

        Args:
            path: path of the recording.
            every: seconds from one window's start to the next, > 0.
            length: length of a window in seconds, at most that of the backbone's input; a shorter window is looped, as
                a short clip is. None: the backbone's.

        Raises:
            ClassifierError: ``every`` or ``length`` is out of range, or ``fit`` was given captions, which a window
                lacks.
            DataError: the file cannot be decoded; names it.
        """
        return self._recogniser(None).windows(Path(path), every=every, length=length, channels=self.channels)

    def live(
        self, blocks: Iterator[NDArray[np.float32]], *, every: float, length: float | None = None
    ) -> Iterator[Answer]:
        """Answer the windows of samples as they arrive, e.g. from a microphone.

        Args:
            blocks: samples at ``sample_rate_``, each block of shape (samples,), with values in -1..1; may never end.
            every: as in ``windows``.
            length: as in ``windows``.

        Raises:
            ClassifierError: as in ``windows``.
        """
        return self._recogniser(None).live(blocks, every=every, length=length)

    @property
    def _model(self) -> Model:
        check_is_fitted(self, "model_")
        fitted: Model = self.model_
        return fitted

    @property
    def _backbone(self) -> Backbone:
        return embedding.loaded_backbone(self._backbone_name, self.weights, self.device)

    @property
    def _backbone_name(self) -> str:
        """Name of the backbone: the parameter if given, else ``fit``'s choice, else the current default."""
        return self.backbone or getattr(self, "backbone_", None) or default(self.weights).name

    @property
    def _choices(self) -> Tensor | None:
        return embedding.caption_choices(self._backbone_name, self.weights, self.device)

    def _recogniser(self, captions: str | Captions) -> Recogniser:
        check_captions(self._model, captions)
        return Recogniser(self._model, self._backbone, self.reject_label)

    def _options(self) -> dict[str, Value]:
        """The method's options. After a change of ``method`` its defaults stand in for options that were never set."""
        return {name: getattr(self, name, default) for name, default in options_of(self.method).items()}

    def _clips(self, given: Sounds) -> list[Clip]:
        return clips(given, sample_rate=self.sample_rate or self._backbone.sample_rate, channels=self.channels)

    def _given(
        self, sounds: Sounds, y: ArrayLike, captions: Captions, background: Sounds | None
    ) -> tuple[list[Clip], list[tuple[Value, ...]]]:
        """The clips and the labels of each; those of the background, which come last, have none.

        Raises:
            ClassifierError: a label or a clip cannot be used, or there are captions and a background.
        """
        none = background is not None and isinstance(sounds, list) and not sounds  # to add to a background alone
        given = [] if none else self._clips(sounds)
        labels = [] if none else label_sets_of(given, y, several=self.multi_label)
        if background is None:
            return given, labels
        if captions is not None:
            raise ClassifierError("the clips of `background` have no captions: leave out theirs, or the others'")
        more = self._clips(background)
        return given + more, labels + [()] * len(more)

    def _examples(
        self,
        given: Sequence[Clip],
        labels: Sequence[Sequence[Value]],
        captions: Captions,
        choices: Tensor | None,
        known: Examples | None = None,
    ) -> Examples:
        check_as_many(given, captions)
        bar = Bar(self._read(given), desc="embedding clips", unit="clip", total=len(given), disable=not self.verbose)
        return learning.embedded_examples(all_decoded(bar), labels, self._backbone, captions, choices, known)

    def _learn(
        self, examples: Examples, explanations: Sentences, learner: Learner, choices: Tensor | None, *, seed: int
    ) -> Self:
        backbone = self._backbone
        return self._set(
            learning.fit(
                examples,
                learning.described_classes(examples.labels, explanations, backbone, self.reject_label),
                learner,
                logit_scale=backbone.logit_scale,
                choices=choices,
                reject_rate=None if self.reject_label is None else self.reject_rate,
                multi_label=self.multi_label,
                seed=seed,
            )
        )

    def _set(self, model: Model) -> Self:
        self.model_ = model
        self.classes_ = np.array(model.classes.labels)
        return self

    def _read(self, given: Sequence[Clip], *, whole: bool = False) -> Iterator[Sound | DataError]:
        backbone = self._backbone
        without = any(isinstance(each, Samples) and each.sample_rate is None for each in given)
        if self.sample_rate is None and without:
            warnings.warn(
                f"arrays are taken to be at {backbone.sample_rate} Hz, the backbone's rate; give theirs: `sample_rate`",
                MgclWarning,
                stacklevel=3,
            )
        return read(
            given,
            sample_rate=backbone.sample_rate,
            seconds=backbone.seconds,
            array_rate=self.sample_rate,
            channels=self.channels,
            whole=whole,
        )

"""The fitted state of an estimator: a model, and the backbone that embeds clips for it."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from mgcl.backbones import default
from mgcl.backbones.backbone import Backbone
from mgcl.classifier import embedding, learning
from mgcl.classifier.answers import Answer
from mgcl.classifier.arguments import Captions, check_as_many, check_captions
from mgcl.classifier.calibration import TurnedAway
from mgcl.classifier.given import Clip, Samples, Sounds, clips
from mgcl.classifier.labels import checked_labels
from mgcl.classifier.learner import Learner, options_of
from mgcl.classifier.learning import Sentences
from mgcl.classifier.model import Examples, Model
from mgcl.classifier.recogniser import Recogniser
from mgcl.classifier.sounds import Sound, all_decoded, decoded, read
from mgcl.errors import ClassifierError, DataError, MgclWarning
from mgcl.language.explanations import ClassText, class_texts
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

    def fit_embedded(self, examples: Examples) -> Self:
        """Fit to clips that the backbone embedded before, as an index holds them.

        After a fit the method, its candidate captions and the sentences of known classes are kept; other classes get
        plain sentences with their names.

        Args:
            examples: all clips of all classes, with captions if the method reads them.

        Raises:
            ClassifierError: there are fewer than two classes, or the method cannot be fitted on these clips.
            DataError: one clip is in two classes.
        """
        known = getattr(self, "model_", None)
        if len(set(examples.labels)) < 2:
            raise ClassifierError("the clips are of one class; at least two classes are needed")
        if known is None:
            self.backbone_ = self._backbone_name
            learner = learning.suited(Learner.named(self.method, self._options()), self._backbone, own_captions=False)
            return self._learn(examples, None, learner, None, seed=0)
        texts = {str(label): text for label, text in self._texts()}
        new = sorted({str(label) for label in examples.labels} - texts.keys())
        count = len(known.classes.texts[0].explanations)  # every class needs as many
        plain = (replace(text, explanations=text.explanations[:count]) for text in class_texts(new))
        texts |= dict(zip(new, plain, strict=True))
        return self._learn(examples, texts, known.learner, known.choices, seed=int(known.support.seeds))

    def remove_class(self, label: Value) -> Self:
        """Forget a class. The result equals a fit on the clips of the other classes.

        Raises:
            ClassifierError: there is no such class, or one class alone would remain.
        """
        known, label = self._model, self._known(label)
        texts = {str(own): text for own, text in self._texts() if own != label}
        if len(texts) < 2:
            raise ClassifierError(
                f"without {label!r} the class {', '.join(texts)} is left alone; at least two are needed"
            )
        kept = np.flatnonzero([own != label for own in known.examples.labels])
        return self._learn(
            known.examples.picked(kept), texts, known.learner, known.choices, seed=int(known.support.seeds)
        )

    def rename_class(self, label: Value, name: Value) -> Self:
        """Give a class another name. The result equals a fit under that name.

        Plain sentences with the class's name change with it; sentences that were given stay.

        Raises:
            ClassifierError: there is no class ``label``, or one called ``name``, or names would mix text and numbers.
        """
        known, label = self._model, self._known(label)
        if name in known.classes.labels:
            raise ClassifierError(f"{name!r} is a class already; choose another name")
        labels = checked_labels(cast(ArrayLike, [name if own == label else own for own in known.examples.labels]))
        before, after = class_texts([str(label), str(name)])
        texts = {str(own): text for own, text in self._texts()}
        given = texts.pop(str(label))
        prompt = after.prompt if given.prompt == before.prompt else given.prompt
        texts[str(name)] = after if given == before else replace(given, prompt=prompt)
        examples = replace(known.examples, labels=tuple(labels))
        return self._learn(examples, texts, known.learner, known.choices, seed=int(known.support.seeds))

    def _known(self, label: Value) -> Value:
        """The class of this name, which may be given as text.

        Raises:
            ClassifierError: there is none; lists the classes.
        """
        labels = self._model.classes.labels
        if (found := next((own for own in labels if str(own) == str(label)), None)) is None:
            raise ClassifierError(f"{label!r} is no class of the model, which knows {', '.join(map(str, labels))}")
        return found

    def _texts(self) -> Iterator[tuple[Value, ClassText]]:
        classes = self._model.classes
        return zip(classes.labels, classes.texts, strict=True)

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

    def _examples(
        self, given: Sequence[Clip], labels: list[Value], captions: Captions, choices: Tensor | None
    ) -> Examples:
        check_as_many(given, captions)
        bar = Bar(self._read(given), desc="embedding clips", unit="clip", total=len(given), disable=not self.verbose)
        return learning.embedded_examples(all_decoded(bar), labels, self._backbone, captions, choices)

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

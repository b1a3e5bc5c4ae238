"""``FewShotClassifier``: fit, predict and explain on a user's own clips, as scikit-learn has it."""

import inspect
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from torch import Tensor

from mgcl.audio import CHANNELS
from mgcl.backbones.backbone import Backbone
from mgcl.classifier import hearing, storage
from mgcl.classifier.answers import Answer
from mgcl.classifier.calibration import TurnedAway, check_enough
from mgcl.classifier.given import Clip, Samples, Sounds, clips
from mgcl.classifier.labels import checked_labels, near_equal
from mgcl.classifier.model import Classes, Examples, Model
from mgcl.classifier.model import fit as fit_model
from mgcl.classifier.reasons import Reasons
from mgcl.classifier.recogniser import Captions, Recogniser
from mgcl.classifier.sounds import Sound, all_whole, read, whole
from mgcl.errors import ClassifierError, DataError, MgclWarning
from mgcl.language.explanations import ClassText, class_texts
from mgcl.methods.few_shot.mgcl import Parameters
from mgcl.progress import Bar
from mgcl.records import Value

Sentences = str | Path | Mapping[str, Sequence[str] | ClassText] | None
_OPTIONS = asdict(Parameters())
_SEEDS = 2**31 - 1


class FewShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Recognises sounds from a handful of labelled clips (MGCL, ACM MM 2024, doi 10.1145/3664647.3681389).

    A clip is a path, or an array of samples; what is longer than the backbone's five seconds is cropped (``windows``
    hears all of it), what is shorter is repeated. Classes may have unequal numbers of clips.

    Args:
        backbone: of ``mgcl extract``'s: "tiny", "laion_clap", "transformers_clap", "ms_clap".
        weights: of the backbone: a path or a Hugging Face id; None: $MGCL_<BACKBONE>_WEIGHTS, or its own.
        device: a torch device, for the backbone.
        sample_rate: of clips that are arrays, in Hz; None: the backbone's own.
        channels: what to take of clips with several: "average", "left", "right" (the first two), or "louder", the one
            with the higher level in the file.
        none_label: what to answer where a clip is like none of the classes; None: it is always one of them. It takes
            3 classes of 2 clips each.
        reject_rate: with ``none_label``: the greatest share of clips of the classes that may be turned away, as
            leave-out parts of the support estimate it; from 0 to less than 1.
        random_state: seeds what is drawn: the parts of the support that are left out to learn τ, random adapters. As
            scikit-learn has it: an integer, a generator, or None: another seed each time.
        verbose: show a progress bar while fitting.
        **options: of the method, as in ``mgcl.methods.few_shot.mgcl.Parameters``: ``alpha=1.1``, ``epochs=0`` ...

    Attributes:
        classes_: labels, sorted, shape (classes,).
        temperature_: τ of softmax(logits / τ).
        threshold_: the least greatest logit of a clip that is one of the classes; None without ``none_label``.
        turned_away_: estimated shares of known and of foreign clips below it; None without ``none_label``.
    """

    def __init__(
        self,
        backbone: str = "tiny",
        *,
        weights: str | None = None,
        device: str = "cpu",
        sample_rate: int | None = None,
        channels: str = "average",
        none_label: Value = None,
        reject_rate: float = 0.1,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        verbose: bool = False,
        **options: Value,
    ) -> None:
        """Take note of the parameters; ``fit`` looks at them.

        Raises:
            TypeError: the method has no such option.
        """
        if unknown := options.keys() - _OPTIONS.keys():
            raise TypeError(f"no option is called {', '.join(sorted(unknown))}; there are: {', '.join(_OPTIONS)}")
        self.backbone = backbone
        self.weights = weights
        self.device = device
        self.sample_rate = sample_rate
        self.channels = channels
        self.none_label = none_label
        self.reject_rate = reject_rate
        self.random_state = random_state
        self.verbose = verbose
        for name, default in _OPTIONS.items():
            setattr(self, name, options.get(name, default))

    def fit(
        self,
        X: Sounds,
        y: ArrayLike,
        explanations: Sentences = None,
        captions: Captions = None,
    ) -> Self:
        """Learn from labelled clips.

        Args:
            X: clips: paths, arrays of shape (samples,), (samples, channels) or (channels, samples), such arrays in a
                pair with their rate, or what the package datasets gives; or a matrix of a clip a row. PCM in whole
                numbers is scaled to full scale 1. One clip is given as ``[clip]``, a stereo array too. A sound that
                is given twice counts once, with a warning.
            y: their labels: all text, all numbers or all booleans.
            explanations: what classes sound like: sentences by label, as many for each; a json file of them; the name
                of a data set whose explanations come with mgcl ("esc50"); None: plain sentences with their names.
            captions: what each clip sounds like; clips to be predicted then need theirs. None: the backbone's own
                captions if it has a captioner, else the method goes by audio alone, with a warning.

        Raises:
            ClassifierError: fewer than two classes, or anything else that is not as it should be.
            DataError: a file cannot be decoded, one sound is in two classes, or a class has no explanations.
        """
        _check_random_state(self.random_state)
        if self.channels not in CHANNELS:
            raise ClassifierError(f"channels is {self.channels!r}; it is one of {', '.join(CHANNELS)}")
        if self.none_label is not None and not 0 <= self.reject_rate < 1:
            raise ClassifierError(f"reject_rate is {self.reject_rate}; it is a share of clips, from 0 to less than 1")
        sounds = self._clips(X)
        labels = _labels(sounds, y)
        if len(set(labels)) < 2:
            raise ClassifierError(f"the clips are of one class, {labels[0]!r}; at least two classes are needed")
        parameters = self._parameters(captions)
        if self.none_label is not None:
            check_enough(list(Counter(labels).values()), parameters)
        nearest = parameters.needs_captions and captions is None
        choices = hearing.choices(self.backbone, self.weights, self.device) if nearest else None
        examples = self._examples(sounds, labels, captions, choices)
        return self._learn(examples, explanations, parameters, choices, seed=_seed(self.random_state))

    def add_classes(
        self,
        X: Sounds,
        y: ArrayLike,
        explanations: Sentences = None,
        captions: Captions = None,
    ) -> Self:
        """Learn from more clips, of new classes or of known ones; the same as fitting on all of them.

        Args:
            X: as in ``fit``.
            y: as in ``fit``.
            explanations: of the new classes; those of known ones stay.
            captions: needed if ``fit`` was given them.

        Raises:
            ClassifierError: as ``fit``, and captions where ``fit`` had none, or the other way round.
            DataError: as ``fit``.
        """
        known, sounds = self._model, self._clips(X)
        labels = _labels(sounds, y)
        _check_captions(known, captions)
        examples = known.examples + self._examples(sounds, labels, captions, known.choices)
        said: dict[str, ClassText] = dict(zip(map(str, known.classes.labels), known.classes.texts, strict=True))
        new = sorted({str(label) for label in labels} - said.keys())
        said |= dict(zip(new, class_texts(new, explanations), strict=True))
        seed = int(known.fitted.support.seeds)
        return self._learn(examples, said, known.fitted.parameters, known.choices, seed=seed)

    def predict(self, X: Sounds, captions: Captions = None) -> NDArray[Any]:
        """The label of each clip, or ``none_label``; see ``logits``."""
        return np.array([whole(each).label for each in self.answers(X, captions)])

    def predict_proba(self, X: Sounds, captions: Captions = None) -> NDArray[np.float64]:
        """Softmax(logits / τ), shape (clips, classes), given that a clip is one of the classes; see ``logits``."""
        return self._model.probabilities(self.logits(X, captions))

    def logits(self, X: Sounds, captions: Captions = None) -> NDArray[np.float32]:
        """The method's own scores (MGCL Eq. 21), shape (clips, classes).

        Args:
            X: as in ``fit``.
            captions: of the clips, if ``fit`` was given them.

        Raises:
            ClassifierError: captions were given at fit and not here, or the other way round.
            DataError: a file cannot be decoded; names it.
        """
        known, sounds = self._recogniser(captions), self._clips(X)
        _check_as_many(sounds, captions)
        return known.logits(self._read(sounds), captions)

    def answers(self, X: Sounds, captions: Captions = None) -> Iterator[Answer | DataError]:
        """One a clip as they come, of any number of clips; or what is wrong with a file."""
        known, sounds = self._recogniser(captions), self._clips(X)
        _check_as_many(sounds, captions)
        return known.answers(self._read(sounds), captions)

    def windows(self, path: str | Path, *, every: float) -> Iterator[Answer | DataError]:
        """Answers along a recording of any length: one a window of five seconds, as they come.

        Args:
            path: of the recording.
            every: seconds from one window's start to the next, > 0.

        Raises:
            ClassifierError: ``every`` is not positive, or clips come with captions, which a window has not.
            DataError: the file cannot be decoded; names it.
        """
        return self._recogniser(None).windows(Path(path), every=every, channels=self.channels)

    def explain(self, clip: Any, caption: str | None = None) -> Reasons:
        """Which support clips and which explanations carried the answer to one clip, and when.

        Args:
            clip: one, as in ``fit``, or what ``sound`` gave of it.
            caption: of the clip, if ``fit`` was given captions.
        """
        return self._recogniser(caption).explain(self.sound(clip), caption)

    def sound(self, clip: Any) -> Sound:
        """What the backbone is given of a clip, as in ``fit``."""
        if isinstance(clip, Sound):
            return clip
        return whole(next(self._read(self._clips([clip]))))

    def save(self, folder: str | Path) -> None:
        """Write the fitted classifier as two files, without a pickle; the backbone's weights are not among them."""
        ear = self._ear
        own = {name: getattr(self, name) for name in _OWN if name != "device"}
        if not isinstance(self.random_state, Integral):
            own["random_state"] = int(self._model.fitted.support.seeds)
        own["random_state"] = int(own["random_state"])
        if self.weights is not None and Path(self.weights).exists():  # it may be opened from another folder
            own["weights"] = os.path.relpath(Path(self.weights).resolve(), Path(folder).resolve())
        storage.write(self._model, {"estimator": own, "fingerprint": ear.fingerprint}, Path(folder))

    @classmethod
    def load(
        cls, folder: str | Path, *, weights: str | None = None, device: str = "cpu", channels: str | None = None
    ) -> Self:
        """Open what ``save`` wrote.

        Args:
            folder: that it wrote.
            weights: of the backbone, where they lie elsewhere than they did.
            device: a torch device, for the backbone.
            channels: what to take of clips with several; None: as when it was fitted.

        Raises:
            DataError: it is no model, was changed, is of a newer mgcl, or of a backbone with other weights.
        """
        model, about = storage.read(Path(folder))
        own = {**about["estimator"], "device": device}
        loaded = cls(**own, **asdict(model.fitted.parameters))
        if own["weights"] is not None and (beside := Path(folder).resolve() / own["weights"]).exists():
            loaded.weights = str(beside.resolve())
        if weights is not None:
            loaded.weights = weights
        if channels is not None:
            loaded.channels = channels
        if loaded._ear.fingerprint != about["fingerprint"]:
            raise DataError(
                f"{folder}: fitted with the backbone {loaded.backbone} of fingerprint {about['fingerprint']}, and the "
                f"weights here have {loaded._ear.fingerprint}; name those that it was fitted with, or fit again"
            )
        return loaded._set(model)

    @property
    def temperature_(self) -> float:
        """τ of softmax(logits / τ)."""
        return self._model.temperature

    @property
    def sample_rate_(self) -> int:
        """Of what the backbone is given, in Hz."""
        return self._ear.sample_rate

    @property
    def seconds_(self) -> float:
        """Of a clip that the backbone is given."""
        return self._ear.seconds

    @property
    def threshold_(self) -> float | None:
        """The least greatest logit of a clip that is one of the classes."""
        return self._model.threshold

    @property
    def turned_away_(self) -> TurnedAway | None:
        """Shares of known and foreign clips below the threshold; None too of a model that an older mgcl made."""
        return self._model.turned_away

    @property
    def _model(self) -> Model:
        check_is_fitted(self, "model_")
        fitted: Model = self.model_
        return fitted

    @property
    def _ear(self) -> Backbone:
        return hearing.backbone(self.backbone, self.weights, self.device)

    def _parameters(self, captions: Captions) -> Parameters:
        """The method's, without captions where there are none."""
        try:
            parameters = Parameters(**{name: getattr(self, name) for name in _OPTIONS})
        except ValueError as error:
            raise ClassifierError(str(error)) from None
        if captions is not None or self._ear.captions or not parameters.needs_captions:
            return parameters
        if parameters.fusion == "caption":
            raise ClassifierError(
                f"fusion='caption' needs captions, and the backbone {self.backbone} brings none: give them"
            )
        warnings.warn(
            f"the backbone {self.backbone} brings no captions and none were given: clips are known by audio alone",
            MgclWarning,
            stacklevel=3,
        )
        return replace(parameters, fusion="audio")

    def _clips(self, X: Sounds) -> list[Clip]:
        return clips(X, sample_rate=self.sample_rate or self._ear.sample_rate, channels=self.channels)

    def _examples(
        self, sounds: Sequence[Clip], labels: list[Value], captions: Captions, choices: Tensor | None
    ) -> Examples:
        _check_as_many(sounds, captions)
        bar = Bar(self._read(sounds), desc="hearing clips", unit="clip", total=len(sounds), disable=not self.verbose)
        heard = all_whole(bar)
        for silent in (sound.name for sound in heard if sound.is_silent):
            warnings.warn(f"{silent}: is silent; leave it out", MgclWarning, stacklevel=3)
        return Examples.heard(heard, labels, self._ear, captions, choices)

    def _learn(
        self,
        examples: Examples,
        explanations: Sentences,
        parameters: Parameters,
        choices: Tensor | None,
        *,
        seed: int,
    ) -> Self:
        labels = tuple(np.unique(np.array(examples.labels)).tolist())
        if self.none_label in labels:
            raise ClassifierError(f"none_label is {self.none_label!r}, which is a class too; name it otherwise")
        for alike in near_equal(labels):
            warnings.warn(
                f"the classes {' and '.join(map(repr, alike))} differ in case, spaces or dashes alone: "
                "if they are one class, give it one name",
                MgclWarning,
                stacklevel=3,
            )
        texts = class_texts([str(label) for label in labels], explanations)
        classes = Classes(labels, texts, *hearing.read_classes(texts, self._ear))
        return self._set(
            fit_model(
                examples,
                classes,
                parameters,
                logit_scale=self._ear.logit_scale,
                choices=choices,
                reject_rate=None if self.none_label is None else self.reject_rate,
                seed=seed,
            )
        )

    def _set(self, model: Model) -> Self:
        self.model_ = model
        self.classes_ = np.array(model.classes.labels)
        return self

    def _read(self, sounds: Sequence[Clip]) -> Iterator[Sound | DataError]:
        ear = self._ear
        without = any(isinstance(each, Samples) and each.sample_rate is None for each in sounds)
        if self.sample_rate is None and without:
            warnings.warn(
                f"arrays are taken to be at {ear.sample_rate} Hz, the backbone's rate; say theirs with sample_rate=",
                MgclWarning,
                stacklevel=3,
            )
        return read(
            sounds,
            sample_rate=ear.sample_rate,
            seconds=ear.seconds,
            array_rate=self.sample_rate,
            channels=self.channels,
        )

    def _recogniser(self, captions: str | Captions) -> Recogniser:
        _check_captions(self._model, captions)
        return Recogniser(self._model, self._ear, self.none_label)


_OWN = tuple(name for name in inspect.signature(FewShotClassifier).parameters if name != "options")
_ITS_OWN = inspect.signature(FewShotClassifier.__init__)
# scikit-learn reads an estimator's parameters from here, and takes no **options.
FewShotClassifier.__init__.__signature__ = _ITS_OWN.replace(  # type: ignore[attr-defined]
    parameters=[each for each in _ITS_OWN.parameters.values() if each.kind is not each.VAR_KEYWORD]
    + [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each) for name, each in _OPTIONS.items()]
)


def _labels(sounds: Sequence[Clip], labels: ArrayLike) -> list[Value]:
    found = checked_labels(labels)
    check_consistent_length(sounds, found)
    return found


def _check_random_state(state: object) -> None:
    """See whether it is one, and draw nothing."""
    if not isinstance(state, np.random.Generator):
        check_random_state(state)


def _seed(state: object) -> int:
    """An integer is a seed itself; the others are drawn from."""
    if isinstance(state, Integral):
        return int(state)
    if isinstance(state, np.random.Generator):
        return int(state.integers(_SEEDS))
    return int(check_random_state(np.random.RandomState() if state is None else state).randint(_SEEDS))


def _check_captions(model: Model, captions: str | Captions) -> None:
    if model.own_captions and captions is None:
        raise ClassifierError(
            "the classifier was fitted with captions: give the clips' captions too (mgcl predict: --captions FILE)"
        )
    if captions is not None and not model.own_captions:
        raise ClassifierError("the classifier was fitted without captions: leave them out, or fit with captions")


def _check_as_many(sounds: Sequence[Clip], captions: Captions) -> None:
    if captions is not None:
        check_consistent_length(sounds, captions)

"""``FewShotClassifier``: fit, predict and explain on a user's own clips, as scikit-learn has it."""

import inspect
from collections import Counter
from collections.abc import Iterator
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from mgcl import backbones
from mgcl.classifier import learning, storage
from mgcl.classifier.answers import Answer
from mgcl.classifier.arguments import (
    Captions,
    announced,
    check_as_many,
    check_captions,
    check_choices,
    labels_of,
    seed_of,
)
from mgcl.classifier.calibration import check_enough
from mgcl.classifier.fitted import Fitted
from mgcl.classifier.given import Sounds
from mgcl.classifier.learner import DEFAULT, Learner, options_of
from mgcl.classifier.learning import Sentences
from mgcl.classifier.reasons import Reasons
from mgcl.classifier.recogniser import Recogniser
from mgcl.classifier.sounds import Sound, decoded
from mgcl.errors import ClassifierError, DataError
from mgcl.language.explanations import ClassText, class_texts
from mgcl.parameters import flat
from mgcl.records import Value


class FewShotClassifier(Fitted, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Recognises sounds from a handful of labelled clips (MGCL, ACM MM 2024, doi 10.1145/3664647.3681389).

    A clip is a path, or an array of samples; what is longer than the backbone's five seconds is cropped (``windows``
    answers all of it), what is shorter is repeated. Classes may have unequal numbers of clips.

    Args:
        backbone: of ``mgcl extract``'s: "efficientat", "tiny", "laion_clap", "transformers_clap", "ms_clap". None:
            "efficientat" where its weights are here (``mgcl weights fetch efficientat``), else "tiny"; a line on
            stderr tells which and why.
        weights: of the backbone: a path or a Hugging Face id; None: $MGCL_<BACKBONE>_WEIGHTS, or its own. Weights
            without a backbone are tiny's.
        device: a torch device, for the backbone.
        sample_rate: of clips that are arrays, in Hz; None: the backbone's own.
        channels: what to take of clips with several: "average", "left", "right" (the first two), or "louder", the one
            with the higher level in the file.
        reject_label: the answer where a clip is like none of the classes; None: it is always one of them. It takes
            3 classes of 2 clips each.
        reject_rate: with ``reject_label``: the greatest share of clips of the classes that may be rejected, as
            leave-out parts of the support estimate it; from 0 to less than 1.
        random_state: seeds what is drawn: the parts of the support that are left out to learn τ, random adapters. As
            scikit-learn has it: an integer, a generator, or None: another seed each time.
        verbose: show a progress bar while fitting.
        method: that is fitted: the name of a file in ``mgcl.methods.few_shot``.
        **options: of the method, as in ``mgcl.methods.few_shot.mgcl.Parameters``: ``alpha=1.1``, ``epochs=0``, ...

    Attributes:
        backbone_: that was taken.
        classes_: labels, sorted, shape (classes,).
        temperature_: τ of softmax(logits / τ).
        threshold_: the least greatest logit of a clip that is one of the classes; None without ``reject_label``.
        turned_away_: estimated shares of known and of foreign clips below it; None without ``reject_label``.
    """

    def __init__(
        self,
        backbone: str | None = None,
        *,
        weights: str | None = None,
        device: str = "cpu",
        sample_rate: int | None = None,
        channels: str = "average",
        reject_label: Value = None,
        reject_rate: float = 0.1,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        verbose: bool = False,
        method: str = DEFAULT,
        **options: Value,
    ) -> None:
        """Take note of the parameters; ``fit`` checks them.

        Raises:
            TypeError: the method has no such option.
        """
        known = options_of(method)
        if unknown := options.keys() - known.keys():
            raise TypeError(f"no option is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        self.backbone = backbone
        self.weights = weights
        self.device = device
        self.sample_rate = sample_rate
        self.channels = channels
        self.reject_label = reject_label
        self.reject_rate = reject_rate
        self.random_state = random_state
        self.verbose = verbose
        self.method = method
        for name, default in known.items():
            setattr(self, name, options.get(name, default))

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - nothing is nested
        """The estimator's parameters and the method's options, by name."""
        return {name: getattr(self, name) for name in _OWN} | self._options()

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
                pair with their rate, or what the package datasets gives; or a matrix of one clip per row. PCM in whole
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
        check_choices(
            channels=self.channels,
            reject_label=self.reject_label,
            reject_rate=self.reject_rate,
            random_state=self.random_state,
        )
        self.backbone_ = self.backbone or announced(backbones.default(self.weights))
        given = self._clips(X)
        labels = labels_of(given, y)
        if len(set(labels)) < 2:
            raise ClassifierError(f"the clips are of one class, {labels[0]!r}; at least two classes are needed")
        learner = Learner.named(self.method, self._options())
        learner = learning.suited(learner, self._backbone, own_captions=captions is not None)
        if self.reject_label is not None:
            check_enough(list(Counter(labels).values()), learner)
        choices = self._choices if learner.needs_captions and captions is None else None
        examples = self._examples(given, labels, captions, choices)
        return self._learn(examples, explanations, learner, choices, seed=seed_of(self.random_state))

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
        known, given = self._model, self._clips(X)
        labels = labels_of(given, y)
        check_captions(known, captions)
        examples = known.examples + self._examples(given, labels, captions, known.choices)
        texts: dict[str, ClassText] = dict(zip(map(str, known.classes.labels), known.classes.texts, strict=True))
        new = sorted({str(label) for label in labels} - texts.keys())
        texts |= dict(zip(new, class_texts(new, explanations), strict=True))
        return self._learn(examples, texts, known.learner, known.choices, seed=int(known.support.seeds))

    def predict(self, X: Sounds, captions: Captions = None) -> NDArray[Any]:
        """The label of each clip, or ``reject_label``; see ``logits``."""
        return np.array([decoded(each).label for each in self.answers(X, captions)])

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
        known, given = self._recogniser(captions), self._clips(X)
        check_as_many(given, captions)
        return known.logits(self._read(given), captions)

    def answers(self, X: Sounds, captions: Captions = None) -> Iterator[Answer | DataError]:
        """Answer any number of clips, one per clip as they come; or give what is wrong with a file."""
        known, given = self._recogniser(captions), self._clips(X)
        check_as_many(given, captions)
        return known.answers(self._read(given), captions)

    def windows(self, path: str | Path, *, every: float) -> Iterator[Answer | DataError]:
        """Answer along a recording of any length: once per window of five seconds, as they come.

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
        return decoded(next(self._read(self._clips([clip]))))

    def save(self, folder: str | Path) -> None:
        """Write the fitted classifier as two files, without a pickle; the backbone's weights are not among them."""
        own = {name: getattr(self, name) for name in _OWN if name not in ("device", "method")}
        seed = self.random_state if isinstance(self.random_state, Integral) else self._model.support.seeds
        own["random_state"] = int(seed)
        own["backbone"] = self._backbone_name
        if self.weights is not None:
            own["weights"] = storage.portable_weights(self.weights, Path(folder))
        storage.write(self._model, {"estimator": own, "fingerprint": self._backbone.fingerprint}, Path(folder))

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
        if weights is not None:
            own["weights"] = weights
        elif own["weights"] is not None:
            own["weights"] = storage.found_weights(own["weights"], Path(folder))
        if channels is not None:
            own["channels"] = channels
        loaded = cls(**own, method=model.learner.name, **flat(model.learner.parameters))
        if loaded._backbone.fingerprint != about["fingerprint"]:
            raise DataError(
                f"{folder}: fitted with the backbone {loaded.backbone} of fingerprint {about['fingerprint']}, and the "
                f"weights here have {loaded._backbone.fingerprint}; name those that it was fitted with, or fit again"
            )
        loaded.backbone_ = loaded._backbone_name
        return loaded._set(model)

    def _recogniser(self, captions: str | Captions) -> Recogniser:
        check_captions(self._model, captions)
        return Recogniser(self._model, self._backbone, self.reject_label)


_ITS_OWN = inspect.signature(FewShotClassifier.__init__)
_OWN = tuple(name for name in inspect.signature(FewShotClassifier).parameters if name != "options")
# Help, and scikit-learn's representation, read an estimator's parameters here: the default method's are shown.
FewShotClassifier.__init__.__signature__ = _ITS_OWN.replace(  # type: ignore[attr-defined]
    parameters=[each for each in _ITS_OWN.parameters.values() if each.kind is not each.VAR_KEYWORD]
    + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each)
        for name, each in options_of(DEFAULT).items()
    ]
)

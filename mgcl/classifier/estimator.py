"""``FewShotClassifier``: fit, predict and explain on a user's own clips, with scikit-learn's interface."""

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
from mgcl.classifier import arguments, hub, kept_sounds, labels, learning, storage
from mgcl.classifier.answers import Answer
from mgcl.classifier.arguments import Captions
from mgcl.classifier.calibration import check_enough
from mgcl.classifier.changes import Changing
from mgcl.classifier.given import Sounds
from mgcl.classifier.learner import Learner, options_of
from mgcl.classifier.learning import Sentences
from mgcl.classifier.reasons import Reasons
from mgcl.classifier.sounds import decoded
from mgcl.errors import ClassifierError, DataError
from mgcl.methods import DEFAULT_METHOD
from mgcl.parameters import flat
from mgcl.records import Value


class FewShotClassifier(Changing, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Recognises sounds from a handful of labelled clips.

    A clip is a path or an array of samples. Clips are brought to the backbone's window, five seconds unless it has one
    of its own: shorter clips are looped. Of longer ones a fit and ``explain`` take one window, predictions all
    (``windows`` answers each along a recording). Classes may have unequal numbers of clips.

    Args:
        backbone: one of ``mgcl extract``'s: "efficientat", "tiny", "laion_clap", "transformers_clap", "ms_clap",
            "mga_clap", or "transformers_audio", with which ``method`` must read no sentences. None: "efficientat" if
            its weights are on this machine (``mgcl weights fetch efficientat``), else "tiny"; a line on stderr names
            the choice and its reason.
        weights: weights of the backbone: a path or a Hugging Face id; None: $MGCL_<BACKBONE>_WEIGHTS, or the
            backbone's own. Weights without a backbone are tiny's.
        device: torch device of the backbone.
        sample_rate: sample rate of clips that are arrays, in Hz; None: the backbone's.
        channels: how clips of several channels become one: "average", "left", "right" (the first two channels), or
            "louder" (the channel with the higher level in the file).
        reject_label: the answer to a clip that is like none of the classes; None: no clip is rejected. Rejection needs
            at least 3 classes of 2 clips each.
        reject_rate: with ``reject_label``: greatest share of clips of the classes that may be rejected, estimated on
            left-out parts of the support; from 0 to less than 1.
        random_state: source of the seed for what is drawn: the folds of the support that are left out to learn τ, and
            random adapters. Takes scikit-learn's forms: an integer, a generator, or None for another seed at every fit.
        verbose: show a progress bar while fitting.
        one_window: of a clip that is longer than the backbone's input take one window, at a place that depends on the
            clip alone, as sweeps do. False: predictions are of the whole clip; the logits of its windows are averaged.
        method: the method to fit: the name of a file in ``mgcl.methods.few_shot``. "mgcl" is the paper's (ACM MM 2024,
            doi 10.1145/3664647.3681389), which reads captions too.
        **options: options of the method, as in its ``Parameters``: ``epsilon=0.1``, or with ``method="mgcl"``
            ``alpha=1.1``, ``epochs=0``, ...

        multi_label: whether a clip may have several classes or none. Probabilities are then independent, and every
            class has a threshold, from which it is named.

    Attributes:
        backbone_: name of the backbone in use.
        classes_: labels, sorted, shape (classes,).
        temperature_: τ of softmax(logits / τ).
        threshold_: rejection threshold: a clip whose greatest logit is below it is rejected; None without
            ``reject_label``.
        turned_away_: estimated shares of known and of foreign clips that are rejected; None without ``reject_label``.
        thresholds_: with ``multi_label`` the probability from which each class is named, shape (classes,); else None.
        background_: how clips of ``background`` are answered without them; None if there are none.
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
        one_window: bool = False,
        multi_label: bool = False,
        method: str = DEFAULT_METHOD,
        **options: Value,
    ) -> None:
        """Store the parameters; ``fit`` checks their values.

        Raises:
            TypeError: the method has no option of that name.
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
        self.one_window = one_window
        self.multi_label = multi_label
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
        background: Sounds | None = None,
    ) -> Self:
        """Fit the classifier to labelled clips.

        Args:
            X: clips: paths; arrays of shape (samples,), (samples, channels) or (channels, samples); pairs of such an
                array and its rate; clips of the package datasets; or a matrix of one clip per row. Integer PCM is
                scaled to full scale 1. A single clip is given as ``[clip]``, even a stereo array. A sound that is
                given twice counts once, with a warning.
            y: labels of the clips: all text, all numbers or all booleans. With ``multi_label`` also a set of labels per
                clip, or a matrix of 0 and 1 of shape (clips, classes), whose classes are 0, 1, 2, ...
            explanations: what the classes sound like: sentences by label, the same number for every class; a json file
                of them; the name of a data set whose explanations come with mgcl ("esc50"); None: plain sentences with
                the class names.
            captions: what the clips sound like, one caption per clip; clips to be predicted then need captions too.
                None: the nearest of the backbone's own captions if it has any, else the method uses audio alone, with a
                warning.
            background: clips of none of the classes, as ``X``. With ``multi_label`` every class is learnt against them;
                with ``reject_label`` they teach when to reject.

        Raises:
            ClassifierError: there are fewer than two classes; a clip, a label, a parameter or an option cannot be used;
                or sentences are given, or read by the method, and the backbone has no text side.
            DataError: a file cannot be decoded, one sound is in two classes, or a class has no explanations.
        """
        arguments.check_choices(
            channels=self.channels,
            reject_label=self.reject_label,
            reject_rate=self.reject_rate,
            multi_label=self.multi_label,
            background=background is not None,
            random_state=self.random_state,
        )
        self.backbone_ = self.backbone or arguments.announced(backbones.default(self.weights))
        given, sets = self._given(X, y, captions, background)
        counts = Counter(label for each in sets for label in each)
        if len(counts) < 2:
            raise ClassifierError(f"the clips are of one class, {next(iter(counts), None)!r}; at least two are needed")
        arguments.check_text(self._backbone, explanations=explanations, captions=captions)
        learner = Learner.named(self.method, self._options())
        learner = learning.suited(learner, self._backbone, own_captions=captions is not None)
        if self.reject_label is not None:
            check_enough(list(counts.values()), learner, background=background is not None)
        choices = self._choices if learner.needs_captions and captions is None else None
        examples = self._examples(given, sets, captions, choices)
        return self._learn(examples, explanations, learner, choices, seed=arguments.seed_of(self.random_state))

    def predict(self, X: Sounds, captions: Captions = None) -> NDArray[Any]:
        """Labels of the clips, shape (clips,); ``reject_label`` for rejected clips. Arguments as in ``logits``.

        With ``multi_label`` 1 where a clip has a class and 0 elsewhere, shape (clips, classes).
        """
        found = [decoded(each) for each in self.answers(X, captions)]
        if self.multi_label:
            return labels.indicator([each.named for each in found], self.classes_.tolist())
        return np.array([each.label for each in found])

    def score(self, X: Sounds, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy; with ``multi_label`` the share of clips with all of their classes and no other."""
        true = y
        if self.multi_label:
            true = labels.indicator(labels.label_sets(y), self.classes_.tolist())
        return float(super().score(X, true, sample_weight))

    def predict_proba(self, X: Sounds, captions: Captions = None) -> NDArray[np.float64]:
        """Class probabilities softmax(logits / τ), shape (clips, classes). Arguments as in ``logits``.

        They assume that a clip belongs to one of the classes, and ignore ``reject_label``. With ``multi_label`` each is
        the probability of one class, whatever the others'.
        """
        return self._model.probabilities(self.logits(X, captions))

    def logits(self, X: Sounds, captions: Captions = None) -> NDArray[np.float32]:
        """The method's own scores, shape (clips, classes).

        Args:
            X: as in ``fit``.
            captions: one per clip; required if ``fit`` was given captions.

        Raises:
            ClassifierError: only one of ``fit`` and this call was given captions.
            DataError: a file cannot be decoded; names it.
        """
        known, given = self._recogniser(captions), self._clips(X)
        arguments.check_as_many(given, captions)
        return known.logits(self._read(given, whole=not self.one_window), captions)

    def answers(self, X: Sounds, captions: Captions = None) -> Iterator[Answer | DataError]:
        """Answer any number of clips lazily. Arguments as in ``logits``.

        Returns:
            One answer per clip, in their order; for a file that cannot be decoded its DataError instead.

        Raises:
            ClassifierError: only one of ``fit`` and this call was given captions.
        """
        known, given = self._recogniser(captions), self._clips(X)
        arguments.check_as_many(given, captions)
        return known.answers(self._read(given, whole=not self.one_window), captions)

    def explain(self, clip: Any, caption: str | None = None) -> Reasons:
        """Explain the answer to one clip: what support clips and explanations added to it, and the segments matched.

        Args:
            clip: one clip, as in ``fit``, or what ``sound`` returned for it.
            caption: the clip's caption; required if ``fit`` was given captions.
        """
        return self._recogniser(caption).explain(self.sound(clip), caption)

    def save(self, folder: str | Path) -> None:
        """Write the fitted classifier as two files without pickle. The backbone's weights are not saved."""
        own = {name: getattr(self, name) for name in _OWN if name not in ("device", "method")}
        seed = self.random_state if isinstance(self.random_state, Integral) else self._model.support.seeds
        own["random_state"] = int(seed)
        own["backbone"] = self._backbone_name
        if self.weights is not None:
            former = self.weights == backbones.former_weights(self._backbone_name, self._backbone.fingerprint)
            own["weights"] = None if former else storage.portable_weights(self.weights, Path(folder))
        storage.write(self._model, {"estimator": own, "fingerprint": self._backbone.fingerprint}, Path(folder))
        kept_sounds.forget(Path(folder), self._model.all_examples.digests)

    @classmethod
    def load(
        cls, folder: str | Path, *, weights: str | None = None, device: str = "cpu", channels: str | None = None
    ) -> Self:
        """Load a classifier that ``save`` wrote.

        Args:
            folder: folder that ``save`` wrote, or ``hub:OWNER/NAME@COMMIT`` of the Hugging Face hub.
            weights: weights of the backbone, if they have moved since.
            device: torch device of the backbone.
            channels: how clips of several channels become one; None: as at fit.

        Raises:
            DataError: the folder holds no model, the model was changed or is of a newer mgcl, or its backbone had
                other weights.
        """
        folder = hub.local_folder(folder)
        model, about = storage.read(folder)
        own = {"one_window": True, **about["estimator"], "device": device}  # older models took one window
        if weights is not None:
            own["weights"] = weights
        elif own["weights"] is not None:
            own["weights"] = storage.found_weights(own["weights"], folder)
        else:
            own["weights"] = backbones.former_weights(own["backbone"], about["fingerprint"])
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


_ITS_OWN = inspect.signature(FewShotClassifier.__init__)
_OWN = tuple(name for name in inspect.signature(FewShotClassifier).parameters if name != "options")
# ``help`` and scikit-learn's representation read an estimator's parameters from its signature, so the default method's
# options are put there.
FewShotClassifier.__init__.__signature__ = _ITS_OWN.replace(  # type: ignore[attr-defined]
    parameters=[each for each in _ITS_OWN.parameters.values() if each.kind is not each.VAR_KEYWORD]
    + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each)
        for name, each in options_of(DEFAULT_METHOD).items()
    ]
)

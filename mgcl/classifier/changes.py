"""Changes of a fitted estimator: more clips, and classes that go or are renamed. Nothing is embedded again."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Self, cast

import numpy as np
from numpy.typing import ArrayLike

from mgcl.classifier import arguments, learning
from mgcl.classifier.arguments import Captions
from mgcl.classifier.fitted import Fitted
from mgcl.classifier.given import Sounds
from mgcl.classifier.labels import checked_labels
from mgcl.classifier.learner import Learner
from mgcl.classifier.learning import Sentences
from mgcl.classifier.model import Examples
from mgcl.errors import ClassifierError
from mgcl.language.explanations import ClassText, class_texts
from mgcl.records import Value


class Changing(Fitted):
    """What changes a fitted ``FewShotClassifier``. The result equals a fit on the clips that it has then."""

    def add_classes(
        self,
        X: Sounds,
        y: ArrayLike,
        explanations: Sentences = None,
        captions: Captions = None,
        background: Sounds | None = None,
    ) -> Self:
        """Add clips of new or known classes. The result equals a fit on all clips.

        Clips that the model holds already are not embedded again. With ``multi_label`` they get further labels.

        Args:
            X: as in ``fit``.
            y: as in ``fit``.
            explanations: explanations of the new classes; known classes keep theirs.
            captions: one per clip; required if ``fit`` was given captions.
            background: more clips of none of the classes, as in ``fit``.

        Raises:
            ClassifierError: as in ``fit``; also if only one of ``fit`` and this call was given captions.
            DataError: as in ``fit``.
        """
        known = self._model
        given, labels = self._given(X, y, captions, background)
        arguments.check_text(self._backbone, explanations=explanations, captions=captions)
        arguments.check_captions(known, captions)
        examples = known.all_examples + self._examples(given, labels, captions, known.choices, known.all_examples)
        texts: dict[str, ClassText] = dict(zip(map(str, known.classes.labels), known.classes.texts, strict=True))
        new = sorted({str(label) for each in labels for label in each} - texts.keys())
        texts |= dict(zip(new, class_texts(new, explanations), strict=True))
        return self._learn(examples, texts, known.learner, known.choices, seed=int(known.support.seeds))

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
        kept = np.flatnonzero([own != label for own in known.all_examples.labels])
        return self._learn(
            known.all_examples.picked(kept), texts, known.learner, known.choices, seed=int(known.support.seeds)
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
        if known.background is not None:
            examples += known.background
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

"""Why a clip was answered as it was: which support clips and which explanations carried the answer, and when."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from mgcl.classifier.answers import Answer
from mgcl.classifier.model import Model
from mgcl.methods.method import ClipFeatures
from mgcl.records import Value


@dataclass(frozen=True)
class Share:
    """What one support clip, or one explanation, adds to the logit of its class."""

    name: str
    """The clip's, or the sentence."""
    label: Value
    parts: Mapping[str, float]
    """Score part -> what it adds."""

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Reasons:
    """One clip's answer and what it is made of. All shares are in the unit of the logits and sum to them."""

    answer: Answer
    caption: str | None
    """The clip's."""
    parts: Mapping[str, Mapping[Value, float]]
    """Score part -> class -> its share of that class's logit (MGCL Eq. 21)."""
    support: tuple[Share, ...]
    """The cache's shares, one per support clip (Eq. 1-12); the greatest first."""
    sentences: tuple[Share, ...]
    """The contrast's shares, one per explanation (Eq. 13-20); the greatest first."""
    segment_times: tuple[float, ...]
    """Centre of each segment, in seconds from the clip's beginning."""
    explanations: Mapping[Value, tuple[str, ...]]
    """Class -> its explanations, in the order of the plans' columns."""
    plans: Mapping[Value, tuple[tuple[float, ...], ...]]
    """Class -> how the segments (rows) were matched with its explanations; empty where nothing is transported."""

    @property
    def is_turned_away(self) -> bool:
        """Whether the clip was found to be none of the classes."""
        return self.answer.label not in self.answer.probabilities

    @property
    def ranking(self) -> list[Value]:
        """The classes, the most probable first."""
        probabilities = self.answer.probabilities
        return sorted(probabilities, key=lambda label: -probabilities[label])

    def to_json(self) -> dict[str, Any]:
        """The reasons as json has them: classes are keys, and so strings."""
        content: dict[str, Any] = _keys_as_text(asdict(self))
        return content


def _keys_as_text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _keys_as_text(each) for key, each in value.items()}
    return [_keys_as_text(each) for each in value] if isinstance(value, (list, tuple)) else value


def reasons(
    answer: Answer, clip: ClipFeatures, caption: str | None, model: Model, *, segment_seconds: float
) -> Reasons:
    """Take an answer apart.

    Args:
        answer: to the clip.
        clip: one, as the backbone embedded it.
        caption: of the clip.
        model: that answered.
        segment_seconds: from one segment's centre to the next.
    """
    learner, fitted, labels, examples = model.learner, model.fitted, model.classes.labels, model.examples
    shares = learner.shares(fitted, clip, model.support)
    explanations = {label: _texts(model, row, shares.sentence_embeddings[row]) for row, label in enumerate(labels)}
    support = [
        Share(name, label, {part: float(each[row]) for part, each in shares.support.items()})
        for row, (name, label) in enumerate(zip(examples.names, examples.labels, strict=True))
    ]
    sentences = [
        Share(sentence, label, {part: float(each[row, column]) for part, each in shares.sentences.items()})
        for row, label in enumerate(labels)
        for column, sentence in enumerate(explanations[label])
    ]
    return Reasons(
        answer=answer,
        caption=caption,
        parts={
            part: dict(zip(labels, scores[0].tolist(), strict=True))
            for part, scores in learner.predict(fitted, clip).parts.items()
        },
        support=tuple(sorted(support, key=lambda share: -share.total)) if shares.support else (),
        sentences=tuple(sorted(sentences, key=lambda share: -share.total)) if shares.sentences else (),
        segment_times=tuple((row + 0.5) * segment_seconds for row in range(clip.segments.shape[-2])),
        explanations=explanations,
        plans={
            labels[match.index]: tuple(map(tuple, match.plan.tolist()))
            for match in learner.explain(fitted, clip, tuple(range(len(labels))))
            if match.against == "class"
        },
    )


def _texts(model: Model, row: int, embeddings: Tensor) -> tuple[str, ...]:
    """The sentences of the class in a row that the method chose, by their embeddings."""
    classes, text = model.classes, model.classes.texts[row]
    known = [*zip(classes.explanations[row], text.explanations, strict=True), (classes.prompts[row], text.prompt)]
    return tuple(next(sentence for vector, sentence in known if vector.equal(each)) for each in embeddings)

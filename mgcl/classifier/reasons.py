"""Reasons for an answer: the shares of support clips and explanations, and the segments that were matched."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from mgcl.classifier.answers import Answer
from mgcl.classifier.model import Model
from mgcl.details import Alignment
from mgcl.methods.method import ClipFeatures
from mgcl.records import Value


@dataclass(frozen=True)
class Share:
    """What one support clip, or one explanation, adds to the logit of its class."""

    name: str
    """Name of the clip, or the sentence."""
    label: Value
    """Class of the clip or of the sentence."""
    parts: Mapping[str, float]
    """Score part -> share of the logit."""
    digest: str = ""
    """Digest of the clip's sound (``Sound.digest``); empty: it is a sentence."""

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Reasons:
    """One clip's answer with its reasons. All shares are in the unit of the logits, and the parts sum to the logits."""

    answer: Answer
    caption: str | None
    """Caption of the clip; None: it has none."""
    parts: Mapping[str, Mapping[Value, float]]
    """Score part -> class -> its share of that class's logit (MGCL Eq. 21)."""
    support: tuple[Share, ...]
    """Shares of the cache, one per support clip (Eq. 1-12), in descending order."""
    sentences: tuple[Share, ...]
    """Shares of the contrast, one per explanation (Eq. 13-20), in descending order."""
    segment_times: tuple[float, ...]
    """Centre of each segment, in seconds from the clip's beginning."""
    explanations: Mapping[Value, tuple[str, ...]]
    """Class -> its explanations, in the order of the plans' columns."""
    plans: Mapping[Value, tuple[tuple[float, ...], ...]]
    """Class -> transport plan from the segments (rows) to its explanations (columns); empty without transport."""
    alignment: Alignment | None = None
    """How the clip meets the answered class's strongest sentence; None: the backbone cannot divide a cosine."""

    @property
    def is_turned_away(self) -> bool:
        """Whether the clip was rejected as none of the classes."""
        return not self.answer.named

    @property
    def strongest_sentence(self) -> str | None:
        """Sentence of the most probable class with the largest share, or its first; None: the method reads none."""
        label = self.ranking[0]
        shared = (each.name for each in self.sentences if each.label == label)
        return next(iter((*shared, *self.explanations[label])), None)

    @property
    def strongest_clips(self) -> tuple[Share, ...]:
        """Shares of the support clips of the most probable class, in descending order."""
        return tuple(each for each in self.support if each.label == self.ranking[0])

    @property
    def ranking(self) -> list[Value]:
        """The classes, the most probable first."""
        probabilities = self.answer.probabilities
        return sorted(probabilities, key=lambda label: -probabilities[label])

    def to_json(self) -> dict[str, Any]:
        """The reasons as a json object; classes become strings, since they are keys."""
        content: dict[str, Any] = _keys_as_text(asdict(self))
        for share in (*content["support"], *content["sentences"]):
            del share["digest"]
        return content


def _keys_as_text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _keys_as_text(each) for key, each in value.items()}
    return [_keys_as_text(each) for each in value] if isinstance(value, (list, tuple)) else value


def reasons(
    answer: Answer, clip: ClipFeatures, caption: str | None, model: Model, *, segment_seconds: float
) -> Reasons:
    """Decompose an answer into its reasons.

    Args:
        answer: the answer to the clip.
        clip: features of the one clip, as the backbone embedded it.
        caption: caption of the clip; None: it has none.
        model: the model that answered.
        segment_seconds: seconds from one segment's centre to the next.
    """
    learner, fitted, labels, examples = model.scorer, model.fitted, model.classes.labels, model.examples
    shares = learner.shares(fitted, clip, model.support)
    explanations = {label: _texts(model, row, shares.sentence_embeddings[row]) for row, label in enumerate(labels)}
    support = [
        Share(name, label, {part: float(each[row]) for part, each in shares.support.items()}, digest)
        for row, (name, label, digest) in enumerate(zip(examples.names, examples.labels, examples.digests, strict=True))
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
    """Sentences of the class in this row that the method used, found by their embeddings."""
    if not model.support.described:
        return ()
    classes, text = model.classes, model.classes.texts[row]
    known = [*zip(classes.explanations[row], text.explanations, strict=True), (classes.prompts[row], text.prompt)]
    return tuple(next(sentence for vector, sentence in known if vector.equal(each)) for each in embeddings)

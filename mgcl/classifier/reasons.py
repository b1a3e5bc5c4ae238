"""Why a clip was answered as it was: which support clips and which explanations carried the answer, and when."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mgcl.classifier.answers import Answer
from mgcl.classifier.model import Model
from mgcl.methods.few_shot import mgcl
from mgcl.methods.method import ClipFeatures
from mgcl.records import Value
from mgcl.transport import inner, pairwise_cosine, plans, unit


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
        """Of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Reasons:
    """One clip's answer and what it is made of. All shares are in the unit of the logits and sum to them."""

    answer: Answer
    caption: str | None
    """What the clip was said to sound like."""
    parts: Mapping[str, Mapping[Value, float]]
    """Score part -> class -> its share of that class's logit (MGCL Eq. 21)."""
    support: tuple[Share, ...]
    """The cache's, one a support clip (Eq. 1-12); what adds most first."""
    sentences: tuple[Share, ...]
    """The contrast's, one an explanation (Eq. 13-20); what adds most first."""
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
        """The same as json has it: classes are keys, and so strings."""
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
        clip: one, as the backbone heard it.
        caption: of the clip.
        model: that answered.
        segment_seconds: from one segment's centre to the next.
    """
    fitted, labels, examples = model.fitted, model.classes.labels, model.examples
    predicted = mgcl.predict(fitted, clip).parts
    keys, sentences = key_shares(fitted, clip), sentence_shares(fitted, clip)
    explanations = {label: _sentences(model, row) for row, label in enumerate(labels)}
    support = [
        Share(name, label, {part: float(each[row]) for part, each in keys.items()})
        for row, (name, label) in enumerate(zip(examples.names, examples.labels, strict=True))
    ]
    said = [
        Share(sentence, label, {part: float(each[row, column]) for part, each in sentences.items()})
        for row, label in enumerate(labels)
        for column, sentence in enumerate(explanations[label])
    ]
    return Reasons(
        answer=answer,
        caption=caption,
        parts={part: dict(zip(labels, scores[0].tolist(), strict=True)) for part, scores in predicted.items()},
        support=tuple(sorted(support, key=lambda share: -share.total)) if keys else (),
        sentences=tuple(sorted(said, key=lambda share: -share.total)) if sentences else (),
        segment_times=tuple((row + 0.5) * segment_seconds for row in range(clip.segments.shape[-2])),
        explanations=explanations,
        plans={
            labels[match.index]: tuple(map(tuple, match.plan.tolist()))
            for match in mgcl.explain(fitted, clip, tuple(range(len(labels))))
            if match.against == "class"
        },
    )


def _sentences(model: Model, row: int) -> tuple[str, ...]:
    """Of a class, as the method chose them."""
    parameters, text = model.fitted.parameters, model.classes.texts[row]
    if parameters.sentences == "prompt":
        return (text.prompt,)
    chosen, all_of_them = model.fitted.sentences[row], model.classes.explanations[row]
    return tuple(text.explanations[int((all_of_them == each).all(-1).nonzero()[0])] for each in chosen)


def key_shares(fitted: mgcl.Fitted, clip: ClipFeatures) -> dict[str, Float[Tensor, "support"]]:
    """Cache part -> what each support clip adds to its class's logit."""
    support, parameters = fitted.support, fitted.parameters
    affinities, _ = mgcl.key_affinities(fitted, clip)
    weights = support.values.sum(-1) / (support.shot if parameters.mean_over_shots else 1.0)
    return {part: parameters.alpha * each[0] * weights for part, each in affinities.items()}


def sentence_shares(fitted: mgcl.Fitted, clip: ClipFeatures) -> dict[str, Float[Tensor, "way n_e"]]:
    """Contrast part -> what each explanation adds to its class's logit."""
    parameters, sentences, scale, shares = fitted.parameters, fitted.sentences, fitted.logit_scale, {}
    if parameters.coarse_contrast:
        fused = unit(mgcl.fused_clips(fitted, clip))
        cosines = inner(fused, sentences.flatten(0, 1))[0].view(sentences.shape[:2])
        shares["coarse_contrast"] = scale * (parameters.late_weighting_scale * cosines).softmax(-1) * cosines
    if parameters.fine_contrast:
        segments = mgcl.fused_segments(fitted, clip)
        cosines = pairwise_cosine(segments, sentences)[:, :, 0].permute(2, 0, 1)  # way, segments, sentences
        shares["fine_contrast"] = scale * _matched(cosines, segments, fitted)
    return shares


def _matched(
    cosines: Float[Tensor, "way n m"], segments: Float[Tensor, "1 n d"], fitted: mgcl.Fitted
) -> Float[Tensor, "way m"]:
    """What each sentence adds to the similarity: its column of <T, cos>, and of the plan's entropy if that counts."""
    matching, (_, n, m) = fitted.parameters.segment_matching, cosines.shape
    if matching.kind == "uniform":
        return cosines.sum(1) / (n * m)
    if matching.kind == "best-match":
        best = torch.nn.functional.one_hot(cosines.argmax(-1), m)
        return (cosines * best).sum(1) / n
    plan = plans(segments, fitted.sentences, matching)[0]
    entropy = torch.special.entr(plan).sum(1) / torch.tensor(max(2, n * m)).log()
    shares: Tensor = (plan * cosines).sum(1) + matching.entropy_weight * entropy
    return shares

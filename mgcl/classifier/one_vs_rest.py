"""One versus rest: a few-shot method on clips that have several classes or none, by one fit per class."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from mgcl.classifier.embedding import in_rows, joined
from mgcl.classifier.learner import Learner
from mgcl.methods.method import ClipFeatures, Match, Prediction, Shares, Support
from mgcl.records import NO_TRANSPORT
from mgcl.transport.cost import unit
from mgcl.transport.matching import Matching
from mgcl.transport.similarity import Similarity, similarity

PARTS = 20
"""Greatest number of parts in which clips are left out: up to as many clips are left out one by one."""


@dataclass(frozen=True)
class Tagged:
    """Clips with their classes, no clip twice."""

    clips: ClipFeatures
    """Features, whose ``rows`` count the clips."""
    truth: Bool[Tensor, "n way"]
    """Whether a clip is of a class. The clips of no class, which are the background, are the last ones."""


@dataclass(frozen=True)
class OneVsRest:
    """A method that is fitted once per class: to the class's clips, and to all others as a second class.

    It has the functions of ``Learner``. A support set has one row per pair of a clip and one of its classes;
    ``clips.rows`` says which rows are one clip. The sentences of the second class are the means of the other classes'.
    A class's logit is that of the class minus that of the others, so 0 is undecided.
    """

    learner: Learner
    background: ClipFeatures | None = None
    """Clips of none of the classes; None: there are none."""

    def tagged(self, support: Support) -> Tagged:
        """The support clips and the background, no clip twice."""
        _, first, number = np.unique(np.asarray(support.clips.rows), return_index=True, return_inverse=True)
        clips = in_rows(support.clips, torch.from_numpy(first))
        truth = torch.zeros(len(first), len(support.counts), dtype=torch.bool)
        truth[torch.from_numpy(number), support.labels] = True
        if self.background is not None:
            clips = joined([clips, self.background])
            truth = torch.cat([truth, truth.new_zeros(len(self.background.clip), truth.shape[1])])
        return Tagged(replace(clips, rows=np.arange(len(truth))), truth)

    def fit(self, support: Support) -> tuple[Any, ...]:
        """Fit the method once per class. The other methods take the result.

        Raises:
            ValueError: the method cannot be fitted on this support set.
        """
        return tuple(map(self.learner.fit, self._problems(support)))

    def predict(self, fitted: tuple[Any, ...], clips: ClipFeatures) -> Prediction:
        """Score clips: the parts of each class's logit, and as part "rest" what speaks for the others."""
        found = [self.learner.predict(each, clips) for each in fitted]
        parts = {part: torch.stack([each.parts[part][..., 1] for each in found], -1) for part in found[0].parts}
        rest = torch.stack([-each.logits[..., 0] for each in found], -1)
        return Prediction({**parts, "rest": rest}, sum((each.convergence for each in found), start=NO_TRANSPORT))

    def explain(self, fitted: tuple[Any, ...], clip: ClipFeatures, classes: tuple[int, ...]) -> tuple[Match, ...]:
        """Transport plans from one clip to the sentences of the classes of these indices."""
        return tuple(
            replace(match, index=row)
            for row in classes
            for match in self.learner.explain(fitted[row], clip, (1,))
            if (match.against, match.index) == ("class", 1)
        )

    def shares(self, fitted: tuple[Any, ...], clip: ClipFeatures, support: Support) -> Shares:
        """Shares of single support clips and sentences in the logits of one clip; empty if the method has none."""
        _, number = np.unique(np.asarray(support.clips.rows), return_inverse=True)
        found = [self.learner.shares(each, clip, support) for each in fitted]
        if not (found[0].support or found[0].sentences):
            return found[0]
        places = list(zip(support.labels.tolist(), number.tolist(), strict=True))
        return Shares(
            {part: torch.stack([found[row].support[part][clip] for row, clip in places]) for part in found[0].support},
            {part: torch.stack([each.sentences[part][1] for each in found]) for part in found[0].sentences},
            torch.stack([each.sentence_embeddings[1] for each in found]),
        )

    def state(self, fitted: tuple[Any, ...]) -> Mapping[str, Tensor]:
        """Tensors of a fitted method that are saved beside its support set."""
        return {
            f"{row}.{name}": value
            for row, each in enumerate(fitted)
            for name, value in self.learner.state(each).items()
        }

    def restored(self, support: Support, state: Mapping[str, Tensor]) -> tuple[Any, ...]:
        """Restore a fitted method from its support set and its saved ``state``."""
        return tuple(
            self.learner.restored(each, _of_class(state, row)) for row, each in enumerate(self._problems(support))
        )

    def cross_fitted(self, support: Support, *, seed: int) -> tuple[Float[Tensor, "n way"], Bool[Tensor, "n way"]]:
        """Logits of every clip of ``tagged``, from fits without it, and its classes.

        Clips are left out in at most ``PARTS`` parts. A logit is NaN where a class has too few other clips to be
        fitted on.

        Args:
            support: one episode, not a stack.
            seed: seed of the parts.
        """
        tagged = self.tagged(support)
        parts, least = left_out(tagged.truth.numpy(), seed=seed), self.learner.least_shots
        every = _Once(tagged.clips)
        logits = torch.full(tagged.truth.shape, torch.nan)
        for part in range(int(parts.max()) + 1):
            seen, unseen = (torch.from_numpy(np.flatnonzero(each)) for each in (parts != part, parts == part))
            rest = Tagged(in_rows(tagged.clips, seen), tagged.truth[seen])
            clips = in_rows(tagged.clips, unseen)
            for column in range(tagged.truth.shape[1]):
                own = int(rest.truth[:, column].sum())
                if min(own, len(seen) - own) >= least:
                    fitted = self.learner.fit(_problem(rest, support, column, every.looked_up))
                    found = self.learner.predict(fitted, clips).logits
                    logits[unseen, column] = found[:, 1] - found[:, 0]
        return logits, tagged.truth

    def _problems(self, support: Support) -> list[Support]:
        """The support set of each class against the rest; all of them have the same clips."""
        tagged = self.tagged(support)
        once = _Once(tagged.clips)
        return [_problem(tagged, support, column, once) for column in range(tagged.truth.shape[1])]


def left_out(truth: NDArray[np.bool_], *, seed: int) -> NDArray[np.intp]:
    """Number of the part in which each clip is left out, shape (clips,).

    The parts have nearly equal numbers of clips of every class: clips of rare classes are dealt out first, each to the
    part with the fewest clips of its rarest class, then of its other classes (Sechidis et al. 2011). Up to ``PARTS``
    clips have a part of their own.

    Args:
        truth: whether a clip is of a class, shape (clips, classes).
        seed: seed of the order in which clips are dealt out.
    """
    count = min(PARTS, len(truth))
    parts, dealt, sizes = np.full(len(truth), -1), np.zeros((count, truth.shape[1])), np.zeros(count)
    often = np.where(truth, truth.sum(0), np.inf)
    rarest, order = often.argmin(1), np.random.default_rng(seed).permutation(len(truth))
    for clip in sorted(order, key=lambda row: often[row].min(initial=np.inf)):
        own = truth[clip]
        of_rarest = dealt[:, rarest[clip]] * own.any()
        parts[clip] = best = int(np.lexsort((sizes, dealt[:, own].sum(1), of_rarest))[0])
        dealt[best] += own
        sizes[best] += 1
    return parts


class _Once:
    """Similarities between the segments of clips, computed once for all classes."""

    def __init__(self, clips: ClipFeatures) -> None:
        self._clips = clips
        self._last: tuple[ClipFeatures, ClipFeatures, Matching, Similarity] | None = None

    def __call__(self, a: ClipFeatures, b: ClipFeatures, matching: Matching) -> Similarity:
        """The similarity of clips a and b, which is kept until others are asked for.

        Threads may call it side by side: each reads and replaces the whole record, and at worst computes it again.
        """
        last = self._last
        if last is None or last[0] is not a or last[1] is not b or last[2] != matching:
            self._last = last = (a, b, matching, similarity(a.segments, b.segments, matching))
        return last[3]

    def looked_up(self, a: ClipFeatures, b: ClipFeatures, matching: Matching) -> Similarity:
        """The similarity of clips a and b, which are some of the clips, by their ``rows``."""
        every, (rows, columns) = self(self._clips, self._clips, matching), (_rows(a), _rows(b))
        return Similarity(*(each[rows][:, columns] for each in every))


def _rows(clips: ClipFeatures) -> Tensor:
    return torch.from_numpy(np.asarray(clips.rows))


def _problem(tagged: Tagged, support: Support, column: int, looked_up: Any) -> Support:
    """The support set of two classes: all clips that are not of a class, and all that are."""
    others = [each for each in range(tagged.truth.shape[1]) if each != column]

    def described(vectors: Tensor) -> Tensor:
        return torch.stack([unit(vectors[others].mean(0)), vectors[column]])

    return replace(
        support,
        clips=tagged.clips,
        labels=tagged.truth[:, column].long(),
        prompts=described(support.prompts),
        explanations=described(support.explanations),
        known_similarity=looked_up,
    )


def _of_class(state: Mapping[str, Tensor], row: int) -> dict[str, Tensor]:
    start = f"{row}."
    return {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}

"""How well each method of the catalogue recognises a user's own clips, each clip left out of what it is fitted on."""

from collections.abc import Iterator
from dataclasses import dataclass

from mgcl.catalogue import names
from mgcl.classifier.calibration import FOLDS, cross_fitted
from mgcl.classifier.learner import Learner
from mgcl.errors import ClassifierError
from mgcl.methods.method import Support

_READ = ("clip", "segments", "prompt", "explanations")
"""What a classifier's clips always have; their captions may be missing."""


@dataclass(frozen=True)
class Candidate:
    """One method with its default options."""

    method: str
    correct: int
    """Clips that were recognised by a fit without them."""
    clips: int

    @property
    def accuracy(self) -> float:
        """In 0..1."""
        return self.correct / self.clips


def compared(support: Support, *, seed: int) -> list[Candidate]:
    """Every method that can be fitted on these clips, the best first; equals in the order of their names.

    The clips are left out part by part, at most five parts, the same for each method.

    Args:
        support: one episode, not a stack.
        seed: of the parts.

    Raises:
        ClassifierError: a class has one clip alone.
    """
    if min(support.counts) < 2:
        raise ClassifierError(
            f"to compare methods a clip of each class is left out: give each class 2 clips or more, not "
            f"{list(support.counts)}; with {FOLDS} or more the comparison is steadier"
        )
    found = []
    for learner in _learners(support):
        if min(support.counts) > learner.least_shots:
            answers = cross_fitted(support, learner, seed=seed).argmax(-1)
            found.append(Candidate(learner.name, int((answers == support.labels).sum()), len(answers)))
    return sorted(found, key=lambda each: (-each.correct, each.method))


def _learners(support: Support) -> Iterator[Learner]:
    for name in names("method"):
        learner = Learner.named(name, {})
        if learner.needs_captions and support.clips.caption is None:
            learner = learner.without_captions()
        if set(learner.parameters.reads) <= {*_READ, "caption"}:
            yield learner

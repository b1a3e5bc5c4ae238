"""Comparison of the catalogue's methods on a user's own clips, by cross-validation."""

from collections.abc import Iterator
from dataclasses import dataclass

from mgcl.catalogue import names
from mgcl.classifier.calibration import FOLDS, cross_fitted
from mgcl.classifier.learner import Learner
from mgcl.errors import ClassifierError
from mgcl.methods.method import Support
from mgcl.progress import Bar

_READ = ("clip", "segments")
"""Features that a classifier's clips always have. Sentences are not among them: clips and classes may lack them."""
_SENTENCES = ("prompt", "explanations")


@dataclass(frozen=True)
class Candidate:
    """Cross-validated result of one method with its default options."""

    method: str
    correct: int
    """Number of clips that a fit without them recognised."""
    clips: int
    """Number of clips that were scored."""

    @property
    def accuracy(self) -> float:
        """Share of the clips that were recognised, in 0..1."""
        return self.correct / self.clips


def compared(support: Support, *, seed: int) -> list[Candidate]:
    """Compare every method that can be fitted on these clips, by cross-validation.

    There are at most five folds, the same for all methods.

    Args:
        support: one episode, not a stack.
        seed: seed of the folds.

    Returns:
        The methods' results, the best first; methods of equal accuracy are sorted by name.

    Raises:
        ClassifierError: a class has only one clip.
    """
    if min(support.counts) < 2:
        raise ClassifierError(
            f"to compare methods a clip of each class is left out: give each class 2 clips or more, not "
            f"{list(support.counts)}; with {FOLDS} or more the comparison is steadier"
        )
    found = []
    learners = [each for each in _learners(support) if min(support.counts) > each.least_shots]
    with Bar(learners, desc="comparing", unit="method") as bar:
        for learner in bar:
            answers = cross_fitted(support, learner, seed=seed).argmax(-1)
            found.append(Candidate(learner.name, int((answers == support.labels).sum()), len(answers)))
    return sorted(found, key=lambda each: (-each.correct, each.method))


def _learners(support: Support) -> Iterator[Learner]:
    known = {*_READ, "caption", *(_SENTENCES if support.described else ())}
    for name in names("method", "few_shot"):
        learner = Learner.named(name, {})
        if learner.needs_captions and support.clips.caption is None:
            learner = learner.without_captions()
        if set(learner.parameters.reads) <= known:
            yield learner

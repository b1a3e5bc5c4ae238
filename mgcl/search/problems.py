"""Which classes a search may look at: none that a test episode can hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from mgcl.errors import SearchError
from mgcl.records import Fold
from mgcl.seeding import generator


@dataclass(frozen=True)
class Problem:
    """One search: values are chosen on one set of classes, for tests on others."""

    tests: tuple[Fold, ...]
    """The folds that the values are for."""
    validation: Fold
    """Shares no class with any of them."""


def problems(
    dataset: str, folds: Sequence[Fold], labels: Sequence[str], *, way: int, shared: bool
) -> tuple[Problem, ...]:
    """One problem a fold, on the classes outside it; folds share classes, so each needs its own.

    A single fold of all classes is cut into two seeded halves: one is tested on, the other searched on.

    Args:
        dataset: its name.
        folds: what the sweep tests on.
        labels: every class of the bank.
        way: classes that a validation episode needs.
        shared: one problem for all folds, on the classes outside their union.

    Raises:
        SearchError: too few classes are left.
    """
    if len(folds) == 1 and set(folds[0].classes) == set(labels):
        test, rest = _halves(dataset, labels)
        found = [Problem((test,), rest)]
    elif shared:
        found = [Problem(tuple(folds), _outside(folds, labels))]
    else:
        found = [Problem((fold,), _outside([fold], labels)) for fold in folds]
    for problem in found:
        left = len(problem.validation.classes)
        if left < way:
            where = ", ".join(str(fold.index) for fold in problem.tests)
            raise SearchError(
                f"outside fold {where} only {left} classes are left, too few for {way}-way validation episodes; lower "
                "--ways" + (", or leave --shared out" if shared else ", or take smaller folds")
            )
    return tuple(found)


def _outside(folds: Sequence[Fold], labels: Sequence[str]) -> Fold:
    tested = {label for fold in folds for label in fold.classes}
    return Fold("validation", folds[0].index, tuple(sorted(set(labels) - tested)))


def _halves(dataset: str, labels: Sequence[str]) -> tuple[Fold, Fold]:
    drawn = [str(label) for label in generator("halves", dataset, sorted(labels)).permutation(sorted(labels))]
    middle = (len(drawn) + 1) // 2
    return Fold("half", 0, tuple(sorted(drawn[:middle]))), Fold("validation", 0, tuple(sorted(drawn[middle:])))

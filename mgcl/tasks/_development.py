"""Classes on which hyper-parameters of few-shot rows are chosen: those outside the folds that are tested on.

Folds share classes, so every fold needs a problem of its own. A single fold of all classes is cut into two seeded
halves: one for the test, the other for validation.
"""

from collections.abc import Sequence

from mgcl.errors import SearchError
from mgcl.records import Fold
from mgcl.seeding import generator
from mgcl.tasks import Problem


def development(
    dataset: str, tested: Sequence[Fold], labels: Sequence[str], *, way: int, shared: bool
) -> tuple[Problem, ...]:
    """Problems for the tested folds.

    Args:
        dataset: name of the data set, which seeds the halves.
        tested: folds that are tested on.
        labels: all labels of the bank.
        way: number of classes that a validation episode needs.
        shared: one problem for all folds.

    Raises:
        SearchError: fewer than ``way`` classes are left for validation.
    """
    if len(tested) == 1 and set(tested[0].classes) == set(labels):
        test, rest = _halves(dataset, labels)
        found = [Problem((test,), rest)]
    elif shared:
        found = [Problem(tuple(tested), _outside(tested, labels))]
    else:
        found = [Problem((fold,), _outside([fold], labels)) for fold in tested]
    for problem in found:
        left = len(problem.validation.classes)
        if left < way:
            where = ", ".join(str(fold.index) for fold in problem.tests)
            raise SearchError(
                f"outside fold {where} only {left} classes are left, too few for {way}-way validation episodes; lower "
                "`ways`" + (", or leave `shared` out" if shared else ", or take smaller folds")
            )
    return tuple(found)


def _outside(tested: Sequence[Fold], labels: Sequence[str]) -> Fold:
    inside = {label for fold in tested for label in fold.classes}
    return Fold("validation", tested[0].index, tuple(sorted(set(labels) - inside)))


def _halves(dataset: str, labels: Sequence[str]) -> tuple[Fold, Fold]:
    drawn = [str(label) for label in generator("halves", dataset, sorted(labels)).permutation(sorted(labels))]
    middle = (len(drawn) + 1) // 2
    return Fold("half", 0, tuple(sorted(drawn[:middle]))), Fold("validation", 0, tuple(sorted(drawn[middle:])))

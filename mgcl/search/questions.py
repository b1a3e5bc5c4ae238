"""Searches as data, and the studies that they consist of."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mgcl.catalogue import load
from mgcl.errors import SearchError, among
from mgcl.features import FeatureBank
from mgcl.methods.variants import REFERENCE, VARIANTS
from mgcl.parameters import flat, from_flat
from mgcl.records import Trial, Value, canonical_json
from mgcl.search.sampling import SAMPLERS
from mgcl.search.space import MORE, SPACE, Range
from mgcl.sweep.grid import Sweep, plan
from mgcl.tasks import Draws, Metric, Problem, Searchable


@dataclass(frozen=True)
class Search:
    """Specification of a search: parameters, draws, banks and sampler."""

    name: str
    draws: Draws
    """Draws of the task, for one batch; a point may be stopped between batches."""
    banks: tuple[str, ...] = ()
    """Folders of feature banks; (): the bank of the task's generated data set."""
    variant: str = REFERENCE
    batches: int = 5
    """Number of batches; a point's value is the mean over all of them."""
    points: int = 60
    """Number of points that each study should have in the end."""
    space: Mapping[str, Range] = field(default_factory=lambda: dict(SPACE))
    more: Mapping[str, Range] = field(default_factory=lambda: dict(MORE))
    """Parameters that are searched on request."""
    sampler: str = "tpe"
    seed: int = 0
    stopping: bool = True
    """Whether bad points are stopped early."""
    shared: bool = False
    """Whether one study serves all tests, validated on the classes outside all of them."""
    apart: bool = False
    """Whether each value of the task's ``APART`` (few-shot: shot) has a study of its own."""
    audio_only: bool = False
    """On banks without captions, search a variant that needs captions on audio only."""
    sweep: str = "full_grid"
    """Name of the sweep that tests the values."""

    @property
    def task(self) -> Searchable:
        """Task of the draws."""
        task: Searchable = load("task", self.draws.task)
        return task


@dataclass(frozen=True)
class Question:
    """Specification of one study: everything that its result depends on except the number of points."""

    name: str
    """Name of the study in its database."""
    tests: tuple[Any, ...]
    """Tests that the values are for, as the task's ``Problem.tests``."""
    apart: Value
    """Value of the task's ``APART`` that the values are for; None: any."""
    batches: tuple[tuple[Trial, ...], ...]
    """Validation trials per batch, with the variant's own parameters; a point replaces some of these."""
    space: Mapping[str, Range]
    sampler: str
    seed: int
    stopping: bool
    """Whether bad points are stopped early."""
    default: Mapping[str, Value]
    """The variant's own values of the searched parameters; NaN: they differ between the banks."""

    @property
    def identity(self) -> str:
        """Canonical JSON of trials, space, sampler and seed; a study contains points of one identity only."""
        keys = [[trial.key for trial in batch] for batch in self.batches]
        return canonical_json(
            [keys, {name: asdict(each) for name, each in self.space.items()}, self.sampler, self.seed]
        )

    @property
    def place(self) -> str:
        """Words that distinguish the study from the others of its search."""
        return " ".join(self.task.study_name(self.tests, self.apart))

    @property
    def task(self) -> Searchable:
        """Task of the validation trials."""
        task: Searchable = load("task", self.batches[0][0].task)
        return task

    @property
    def metric(self) -> Metric:
        """The task's ranked metric; a point's value is the mean of its trials' figures by this metric."""
        return self.task.METRICS[0]

    @property
    def banks(self) -> tuple[str, ...]:
        """Digests of the feature banks."""
        return tuple(dict.fromkeys(trial.bank for trial in self.batches[0]))

    @property
    def default_inside(self) -> bool:
        """Whether all of the variant's own values lie in the space."""
        return all(each.low <= _number(self.default[name]) <= each.high for name, each in self.space.items())

    def at(self, point: Mapping[str, Value]) -> tuple[tuple[Trial, ...], ...]:
        """Trials of a point, per batch; their mean figure is the point's value."""
        values = self.typed(point)
        return tuple(
            tuple(replace(trial, parameters={**trial.parameters, **values}) for trial in batch)
            for batch in self.batches
        )

    def typed(self, point: Mapping[str, Value]) -> dict[str, Value]:
        """Values of a point in the types of the method's parameters; booleans are drawn as the integers 0 and 1."""
        return {name: bool(value) if isinstance(self.default[name], bool) else value for name, value in point.items()}


def questions(search: Search, bank: FeatureBank) -> tuple[Question, ...]:
    """Specify the studies of a search on one bank, without loading torch or Ray.

    Raises:
        SearchError: a variant, sampler, space or number of the search is not valid for its task, method or bank.
        SweepError: the bank cannot provide the cells.
    """
    _check(search)
    task: Searchable = load("task", search.draws.task)
    found = []
    for problem in task.problems(search.draws, bank, shared=search.shared):
        for apart in task.apart(search.draws) if search.apart else (None,):
            batches = tuple(_batch(search, bank, problem, apart, number) for number in range(search.batches))
            parts = [search.name, bank.header.dataset, bank.header.backbone, search.variant]
            found.append(
                Question(
                    name="/".join([*parts, *task.study_name(problem.tests, apart)]),
                    tests=problem.tests,
                    apart=apart,
                    batches=batches,
                    space=search.space,
                    sampler=search.sampler,
                    seed=search.seed,
                    stopping=search.stopping,
                    default=_default(search, batches[0][0], bank),
                )
            )
    return tuple(found)


def common(asked: Sequence[Question]) -> Question:
    """Merge the studies of several banks into one, whose points are judged on all banks with equal weight.

    Args:
        asked: one study per bank, with the same ``apart``; a single one is returned as it is.
    """
    first, *rest = asked
    if not rest:
        return first
    search, _, _, *variant_and_study = first.name.split("/")
    banks = (" and ".join(parts) for parts in zip(*(each.name.split("/")[1:3] for each in asked), strict=True))
    own = {name: {each.default[name] for each in asked} for name in first.default}
    return replace(
        first,
        name="/".join([search, *banks, *variant_and_study]),
        tests=tuple(test for each in asked for test in each.tests),
        batches=tuple(tuple(itertools.chain(*batch)) for batch in zip(*(each.batches for each in asked), strict=True)),
        default={name: values.pop() if len(values) == 1 else math.nan for name, values in own.items()},
    )


def space_of(search: Search) -> dict[str, Range]:
    """Ranges of the parameters that the search's variant has and is not about, wide enough for its own values.

    So every row's study can begin with the row's own values.

    Raises:
        SearchError: the variant does not exist, or has none of the parameters.
    """
    _check_variant(search.variant)
    variant = VARIANTS[search.variant]
    own = flat(from_flat(load("method", variant.method).Parameters, variant.changes))
    found = {name: each for name, each in search.space.items() if name in own and name not in variant.changes}
    if not found:
        raise SearchError(
            f"variant {search.variant!r}: {variant.method} has none of {', '.join(search.space)} to search; choose "
            "another variant"
        )
    return {
        name: each if own[name] is None else replace(each, low=min(each.low, own[name]), high=max(each.high, own[name]))
        for name, each in found.items()
    }


def _batch(search: Search, bank: FeatureBank, problem: Problem, apart: Value, number: int) -> tuple[Trial, ...]:
    task: Searchable = load("task", search.draws.task)
    draws = task.batch(search.draws, number, apart)
    sweep = Sweep(search.name, draws, (search.variant,), audio_only=search.audio_only)
    return tuple(each.trial for each in plan(sweep, bank, only=(problem.validation,)))


def _default(search: Search, trial: Trial, bank: FeatureBank) -> dict[str, Value]:
    own = dict(trial.parameters)
    if own.get("logit_scale") is None:
        own["logit_scale"] = bank.header.logit_scale
    return {name: own[name] for name in search.space}


def _number(value: Value) -> float:
    if isinstance(value, (int, float)):
        return value
    raise TypeError(value)


def _check_variant(name: str) -> None:
    if name not in VARIANTS:
        raise SearchError(f"no variant is called {name!r}; {among(name, VARIANTS)}")


def _check(search: Search) -> None:
    _check_variant(search.variant)
    if search.sampler not in SAMPLERS:
        raise SearchError(f"`sampler` {search.sampler}: choose {' or '.join(SAMPLERS)}")
    if search.batches < 1 or search.points < 1:
        raise SearchError("`batches` and `points`: choose 1 or more")
    if not search.space:
        raise SearchError("`search` names nothing; give at least one parameter")
    task = load("task", search.draws.task)
    if not hasattr(task, "problems"):
        raise SearchError(f"the task {search.draws.task} has nothing to search: its methods learn nothing")
    if search.apart and not task.APART:
        raise SearchError(f"`apart`: the task {search.draws.task} has no studies apart; leave it out")
    for name, each in search.space.items():
        _check_range(search.variant, name, each)


def _check_range(variant: str, name: str, each: Range) -> None:
    """Check that the variant's method accepts both ends of a range."""
    method, changes = VARIANTS[variant].method, VARIANTS[variant].changes
    if name in changes:
        raise SearchError(f"variant {variant!r} is about {name}: leave it out of `search`")
    parameters: Any = load("method", method).Parameters
    own = flat(parameters())
    for end in (each.low, each.high):
        value = bool(end) if isinstance(own.get(name), bool) else int(end) if each.whole else end
        try:
            from_flat(parameters, {**changes, name: value})
        except TypeError:
            raise SearchError(f"`search` {name}: {method} has no such parameter") from None
        except ValueError as error:
            raise SearchError(f"the range {each.low:g} to {each.high:g} of {name}: {error}") from None

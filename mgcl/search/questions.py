"""A search as data, and the studies that it comes down to."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mgcl.catalogue import load
from mgcl.errors import SearchError
from mgcl.features import FeatureBank
from mgcl.methods.variants import REFERENCE, VARIANTS
from mgcl.parameters import flat, from_flat
from mgcl.records import Trial, Value, canonical_json
from mgcl.search.sampling import SAMPLERS
from mgcl.search.space import SPACE, Range
from mgcl.sweep.grid import Sweep, plan
from mgcl.tasks import Draws, Metric, Problem, Searchable


@dataclass(frozen=True)
class Search:
    """What to search, on what."""

    name: str
    draws: Draws
    """Of the task: what one batch holds. A point may be stopped between batches."""
    banks: tuple[str, ...] = ()
    """One folder; (): generated soundscapes, embedded by the tiny backbone."""
    variant: str = REFERENCE
    batches: int = 5
    """A point's value is the mean over all of them."""
    points: int = 60
    """That each study should have in the end."""
    space: Mapping[str, Range] = field(default_factory=lambda: dict(SPACE))
    sampler: str = "tpe"
    seed: int = 0
    stopping: bool = True
    """End bad points early."""
    shared: bool = False
    """One study for all that is tested, on the classes outside all of it."""
    apart: bool = False
    """A study for each value of the task's ``APART`` (few-shot's shots)."""
    audio_only: bool = False
    """Of a bank without captions, search on audio alone."""


@dataclass(frozen=True)
class Question:
    """What one study asks: everything that its answer depends on but the number of points."""

    name: str
    """Of the study, in its database."""
    tests: tuple[Any, ...]
    """What the answer is for, as the task's ``Problem.tests``."""
    apart: Value
    """The value of the task's ``APART`` that it is for; None: any."""
    batches: tuple[tuple[Trial, ...], ...]
    """What it is validated on, at the variant's own parameters; a point replaces some of them."""
    space: Mapping[str, Range]
    sampler: str
    seed: int
    stopping: bool
    """End bad points early."""
    default: Mapping[str, Value]
    """The variant's own values of what is searched."""

    @property
    def identity(self) -> str:
        """Studies with another one are not mixed."""
        keys = [[trial.key for trial in batch] for batch in self.batches]
        return canonical_json(
            [keys, {name: asdict(each) for name, each in self.space.items()}, self.sampler, self.seed]
        )

    @property
    def place(self) -> str:
        """What tells it from the search's other studies, in words."""
        return " ".join(self.task.study_name(self.tests, self.apart))

    @property
    def task(self) -> Searchable:
        """What is drawn and measured."""
        task: Searchable = load("task", self.batches[0][0].task)
        return task

    @property
    def metric(self) -> Metric:
        """A point's value is the mean of its trials' figures by this one, which the task ranks."""
        return self.task.METRICS[0]

    @property
    def bank(self) -> str:
        """Digest of the bank."""
        return self.batches[0][0].bank

    @property
    def default_inside(self) -> bool:
        """Whether the variant's own values lie in the space."""
        return all(each.low <= _number(self.default[name]) <= each.high for name, each in self.space.items())

    def at(self, point: Mapping[str, Value]) -> tuple[tuple[Trial, ...], ...]:
        """The trials whose mean figure is a point's value, batch by batch."""
        values = self.typed(point)
        return tuple(
            tuple(replace(trial, parameters={**trial.parameters, **values}) for trial in batch)
            for batch in self.batches
        )

    def typed(self, point: Mapping[str, Value]) -> dict[str, Value]:
        """A point's values as the method takes them: a yes or no is drawn as a whole number."""
        return {name: bool(value) if isinstance(self.default[name], bool) else value for name, value in point.items()}


def questions(search: Search, bank: FeatureBank) -> tuple[Question, ...]:
    """The studies of a search; loads neither torch nor Ray.

    Raises:
        SearchError: a space, a sampler or tests that the method or the bank cannot give.
        SweepError: cells that the bank cannot give, or a variant that does not exist.
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


def _check(search: Search) -> None:
    if search.variant not in VARIANTS:
        raise SearchError(f"no variant is called {search.variant!r}; there are: {', '.join(VARIANTS)}")
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
    """Both ends must be values that the variant's method takes."""
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

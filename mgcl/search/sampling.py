"""Samplers, which propose points as a function of the seed and the known points only."""

from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from mgcl.search.space import Range
from mgcl.seeding import seed_of


def _tpe(seed: int) -> BaseSampler:
    """Tree-structured Parzen estimators over all parameters at once (Bergstra et al. 2011; Falkner et al. 2018)."""
    return TPESampler(seed=seed, n_startup_trials=10, multivariate=True, constant_liar=True)


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {"tpe": _tpe, "random": _random}


def distributions(space: Mapping[str, Range]) -> dict[str, BaseDistribution]:
    """Parameter -> Optuna's distribution over its range."""
    return {
        name: IntDistribution(int(each.low), int(each.high), log=each.log)
        if each.whole
        else FloatDistribution(each.low, each.high, log=each.log)
        for name, each in space.items()
    }


class SteadySampler(BaseSampler):
    """Sampler that is seeded anew for point n by (seed, n), so that an interrupted study resumes as if uninterrupted.

    Points in Optuna's state FAIL, which were interrupted, do not count in n: their draw is repeated.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed

    @classmethod
    def of(cls, name: str, seed: int) -> "SteadySampler":
        """Make a steady sampler of one of ``SAMPLERS``."""
        return cls(SAMPLERS[name], seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Implement ``BaseSampler``: the search space of the point's own sampler."""
        return self._at(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Implement ``BaseSampler``: joint values from the point's own sampler."""
        return self._at(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Implement ``BaseSampler``: value of one parameter, as startup points are drawn, with a seed per parameter."""
        sampler = self._make(seed_of("point", self._seed, self._index(study, trial), param_name) % 2**32)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _at(self, study: Study, trial: FrozenTrial) -> BaseSampler:
        return self._make(seed_of("point", self._seed, self._index(study, trial)) % 2**32)

    def _index(self, study: Study, trial: FrozenTrial) -> int:
        others = study.get_trials(deepcopy=False)
        return sum(each.number < trial.number and each.state != TrialState.FAIL for each in others)

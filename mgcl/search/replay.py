"""Samplers compared by replay, on a regressor fitted to points of a seeded quasi-random design. Pure."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from scipy.stats import qmc
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict

from mgcl.search.sampling import SAMPLERS, distributions
from mgcl.search.space import Range
from mgcl.search.study import figure_of

Space = Mapping[str, Range]
Point = Mapping[str, float]


def design(space: Space, points: int, seed: int) -> list[dict[str, float]]:
    """The first points of a scrambled Sobol' sequence, spread over a space."""
    power = int(np.ceil(np.log2(points)))
    unit = qmc.Sobol(len(space), seed=seed).random_base2(power)[:points]
    return [dict(zip(space, _spread(row, space), strict=True)) for row in unit]


def _spread(row: NDArray[np.float64], space: Space) -> list[float]:
    values = []
    for share, each in zip(row, space.values(), strict=True):
        low, high = np.log([each.low, each.high]) if each.log else (each.low, each.high)
        value = float(low + share * (high - low))
        value = float(np.clip(np.exp(value) if each.log else value, each.low, each.high))
        values.append(round(value) if each.whole else value)
    return values


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process (Matérn 5/2, one length a parameter, with noise) in place of validation draws."""

    space: Space
    process: GaussianProcessRegressor
    r2: float
    """Of the figures of points held out, five parts of them; 1 is perfect, 0 no better than their mean."""

    @classmethod
    def fit(cls, space: Space, points: Sequence[FrozenTrial]) -> "Surrogate":
        """Fit points that are complete."""
        inputs = _unit([point.params for point in points], space)
        values = np.array([figure_of(point) for point in points])
        process = GaussianProcessRegressor(
            ConstantKernel() * Matern(np.ones(len(space)), nu=2.5) + WhiteKernel(0.1),
            normalize_y=True,
            n_restarts_optimizer=2,
            random_state=0,
        )
        with warnings.catch_warnings():
            # The length of a parameter that hardly matters runs to its bound, as it should.
            warnings.simplefilter("ignore", ConvergenceWarning)
            held_out = cross_val_predict(process, inputs, values, cv=KFold(5, shuffle=True, random_state=0))
            return cls(space, process.fit(inputs, values), float(r2_score(values, held_out)))

    def __call__(self, point: Point) -> float:
        """The figure that a point would have, unscaled."""
        return float(self.process.predict(_unit([point], self.space))[0])


def _unit(points: Sequence[Point], space: Space) -> NDArray[np.float64]:
    columns = []
    for name, each in space.items():
        column = np.array([point[name] for point in points], float)
        column, low, high = (
            (np.log(column), np.log(each.low), np.log(each.high)) if each.log else (column, each.low, each.high)
        )
        columns.append((column - low) / (high - low))
    return np.stack(columns, 1)


def best_so_far(
    surrogate: Surrogate, sampler: str, seed: int, points: int, *, higher_is_better: bool = True
) -> NDArray[np.float64]:
    """The best of the regressor's figures after each point that a sampler proposes, shape (points,)."""
    direction = StudyDirection.MAXIMIZE if higher_is_better else StudyDirection.MINIMIZE
    study = optuna.create_study(direction=direction, sampler=SAMPLERS[sampler](seed))
    space = distributions(surrogate.space)

    for _ in range(points):
        trial = study.ask(fixed_distributions=space)
        study.tell(trial, surrogate(trial.params))
    return running_best([figure_of(point) for point in study.trials], higher_is_better=higher_is_better)


def running_best(figures: Sequence[float], *, higher_is_better: bool) -> NDArray[np.float64]:
    """The best figure so far, of the first, the first two, ..."""
    return (np.maximum if higher_is_better else np.minimum).accumulate(figures)

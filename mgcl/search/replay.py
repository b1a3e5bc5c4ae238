"""Replay of samplers on a regressor fitted to points of a seeded quasi-random design. All functions are pure."""

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
    """First ``points`` points of a scrambled Sobol' sequence, scaled to a space."""
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
    """Gaussian process that replaces validation draws: Matérn 5/2, one length scale per parameter, with noise."""

    space: Space
    process: GaussianProcessRegressor
    r2: float
    """R² on held-out points in five-fold cross-validation; 1 is perfect, 0 is no better than the mean."""

    @classmethod
    def fit(cls, space: Space, points: Sequence[FrozenTrial]) -> "Surrogate":
        """Fit a surrogate to complete points."""
        inputs = _unit([point.params for point in points], space)
        values = np.array([figure_of(point) for point in points])
        process = GaussianProcessRegressor(
            ConstantKernel() * Matern(np.ones(len(space)), nu=2.5) + WhiteKernel(0.1),
            normalize_y=True,
            n_restarts_optimizer=2,
            random_state=0,
        )
        with warnings.catch_warnings():
            # The length scale of a parameter that hardly matters reaches its bound, as it should.
            warnings.simplefilter("ignore", ConvergenceWarning)
            held_out = cross_val_predict(process, inputs, values, cv=KFold(5, shuffle=True, random_state=0))
            return cls(space, process.fit(inputs, values), float(r2_score(values, held_out)))

    def __call__(self, point: Point) -> float:
        """Predicted figure of a point, unscaled."""
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
    """Best predicted figure so far after each point that a sampler proposes, unscaled, shape (points,)."""
    direction = StudyDirection.MAXIMIZE if higher_is_better else StudyDirection.MINIMIZE
    study = optuna.create_study(direction=direction, sampler=SAMPLERS[sampler](seed))
    space = distributions(surrogate.space)

    for _ in range(points):
        trial = study.ask(fixed_distributions=space)
        study.tell(trial, surrogate(trial.params))
    return running_best([figure_of(point) for point in study.trials], higher_is_better=higher_is_better)


def running_best(figures: Sequence[float], *, higher_is_better: bool) -> NDArray[np.float64]:
    """Best figure so far after each point, shape (points,)."""
    return (np.maximum if higher_is_better else np.minimum).accumulate(figures)

"""Multinomial logistic regression, expressed as coefficients of the samples.

It minimises scikit-learn's objective, by the same solver, start and tolerances, so the results are scikit-learn's. With
fifty samples, scikit-learn's checks of its input take most of its time; here are none.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax
from torch import Tensor

_OPTIONS = {"maxiter": 1000, "maxls": 50, "gtol": 1e-6, "ftol": 64 * np.finfo(float).eps}


def coefficients(
    samples: Float[Tensor, "*stack m d"], labels: Int[Tensor, " m"], weights: Float[Tensor, " m"], c: float
) -> Float[Tensor, "*stack m way"]:
    """Return the factors C w_i (y_ic - p_ic) of a logistic regression without intercept.

    At the minimum of the loss the weight vector of class c is Σ_i C w_i (y_ic - p_ic) x_i.

    Args:
        samples: x; episodes are fitted one after the other.
        labels: class indices of the samples; each of 0..way-1 occurs at least once.
        weights: w, > 0.
        c: C, the inverse of the penalty's weight, > 0.
    """
    *stack, m, d = samples.shape
    rows, own = samples.reshape(-1, m, d).double().cpu().numpy(), np.eye(int(labels.max()) + 1)[labels.cpu().numpy()]
    found = [_episode(each, own, weights.double().cpu().numpy(), c) for each in rows]
    return torch.from_numpy(np.stack(found)).to(samples).reshape(*stack, m, own.shape[1])


def _episode(
    samples: NDArray[np.float64], own: NDArray[np.float64], weights: NDArray[np.float64], c: float
) -> NDArray[np.float64]:
    way = own.shape[1]
    if way == 1:
        return np.zeros((len(samples), 1))
    if way == 2:
        c /= 2  # of two classes scikit-learn penalises the difference of the weight vectors
    # The weights lie in the samples' span. It has fewer dimensions, and the same minimum.
    spanned: NDArray[np.float64] = np.asarray(np.linalg.qr(samples.T, mode="r")).T
    share, penalty = weights[:, None] / weights.sum(), 1 / (c * weights.sum())

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        matrix = flat.reshape(-1, way)
        scores = spanned @ matrix
        scores -= scores.max(1, keepdims=True)
        likely = np.exp(scores)
        total = likely.sum(1, keepdims=True)
        missed = np.log(total) - (scores * own).sum(1, keepdims=True)
        gradient = spanned.T @ (share * (likely / total - own)) + penalty * matrix
        return float((share * missed).sum() + penalty / 2 * flat @ flat), gradient.ravel()

    start = np.zeros(spanned.shape[1] * way)
    solved = minimize(loss, start, jac=True, method="L-BFGS-B", options=_OPTIONS).x.reshape(-1, way)
    return np.asarray(c * weights[:, None] * (own - softmax(spanned @ solved, axis=1)))

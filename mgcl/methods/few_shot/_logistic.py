"""Multinomial logistic regression, fitted by scikit-learn and expressed as coefficients of the samples."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor


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
    rows, way = samples.reshape(-1, m, d).double().cpu().numpy(), int(labels.max()) + 1
    found = [_episode(each, labels.cpu().numpy(), weights.double().cpu().numpy(), c, way) for each in rows]
    return torch.from_numpy(np.stack(found)).to(samples).reshape(*stack, m, way)


def _episode(
    samples: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[np.float64], c: float, way: int
) -> NDArray[np.float64]:
    if way == 1:
        return np.zeros((len(samples), 1))
    # The weights lie in the samples' span. It has fewer dimensions, and the same minimum.
    spanned: NDArray[np.float64] = np.asarray(np.linalg.qr(samples.T, mode="r")).T
    model = LogisticRegression(C=c, fit_intercept=False, tol=1e-6, max_iter=1000)
    model.fit(spanned, labels, sample_weight=weights)
    wrong = np.eye(way)[labels] - model.predict_proba(spanned)
    # For two classes scikit-learn fits one weight vector: each class gets half of it.
    return np.asarray((c / 2 if way == 2 else c) * weights[:, None] * wrong)

"""What a model synthesises of novel classes, beside real test clips of them: points of a plane, and distances."""

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.details import Samples
from mgcl.seeding import seed_of
from mgcl.tasks._generalised.substage import Substage

_MOST = 50
"""Largest number of synthetic, and of shown real vectors per class."""

Vectors = NDArray[np.float64]


def samples(substage: Substage, embedded: torch.Tensor) -> Samples | None:
    """Synthesise vectors of the novel classes, and compare them with those of tested clips.

    Args:
        substage: the second substage, after its training.
        embedded: the trunk's outputs for the stage's tested clips.

    Returns:
        The samples; None if the model synthesises nothing, or if its vectors are not finite.
    """
    model, of = substage.model, substage.stage
    if not getattr(model, "synthesises", False):
        return None
    model.eval()
    labels = range(of.base, len(of.classes))
    device = substage.source.device
    noise = torch.Generator(device).manual_seed(seed_of("samples", *substage.identity))
    with torch.no_grad():
        features = model.features(embedded).double().cpu().numpy()
        made = [model.synthesise(substage.words[[label] * _MOST], noise).double().cpu().numpy() for label in labels]
    if not all(np.isfinite(each).all() for each in made):
        return None
    return compare(of.classes[of.base :], [features[of.tested_labels == label] for label in labels], made)


def compare(classes: tuple[str, ...], real: list[Vectors], synthetic: list[Vectors]) -> Samples:
    """Project the vectors of classes, each of shape (n, dim), and measure their distances."""
    together = np.concatenate(real)
    mean = together.mean(0)
    _, sizes, directions = np.linalg.svd(together - mean, full_matrices=False)
    plane = np.zeros((together.shape[1], 2))
    for column, direction in enumerate(directions[:2]):
        plane[:, column] = direction * np.sign(direction[np.abs(direction).argmax()])  # an axis has no sign of its own
    distances = np.array([[frechet(made, each) for each in real] for made in synthetic])
    others = distances + np.diag(np.full(len(classes), np.inf))
    return Samples(
        classes,
        tuple(_points((each[:_MOST] - mean) @ plane) for each in real),
        tuple(_points((each - mean) @ plane) for each in synthetic),
        float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-300)),
        tuple(map(float, np.diag(distances))),
        tuple(map(float, others.min(1))) if len(classes) > 1 else (),
    )


def frechet(one: Vectors, other: Vectors) -> float:
    """Squared Fréchet distance of two Gaussians with the means and covariances of the vectors (Dowson & Landau 1982).

    |m - m'|^2 + tr(C + C' - 2 (C^1/2 C' C^1/2)^1/2), as in the Fréchet inception distance (Heusel et al. 2017).
    """
    root = _root(_covariance(one))
    mixed = _root(root @ _covariance(other) @ root)
    apart = ((one.mean(0) - other.mean(0)) ** 2).sum()
    return float(max(apart + np.trace(_covariance(one)) + np.trace(_covariance(other)) - 2 * np.trace(mixed), 0.0))


def _covariance(vectors: Vectors) -> Vectors:
    centred = vectors - vectors.mean(0)
    covariance: Vectors = centred.T @ centred / len(vectors)
    return covariance


def _root(matrix: Vectors) -> Vectors:
    """Root of a symmetric matrix without negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh(matrix)
    root: Vectors = vectors * np.sqrt(values.clip(0)) @ vectors.T
    return root


def _points(projected: Vectors) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in projected)

"""Optimal transport between two sets of segments: cost, Sinkhorn's plan, and the similarity it gives."""

from mgcl.transport.cost import cosine, pairwise_cosine, unit
from mgcl.transport.similarity import Similarity, plans, similarity
from mgcl.transport.sinkhorn import Transport, sinkhorn

__all__ = [
    "Similarity",
    "Transport",
    "cosine",
    "pairwise_cosine",
    "plans",
    "similarity",
    "sinkhorn",
    "unit",
]

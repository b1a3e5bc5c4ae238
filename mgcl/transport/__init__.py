"""Optimal transport between two sets of segments: cost, Sinkhorn's plan, and the similarity it gives."""

from mgcl.transport.cost import inner, pairwise_cosine, unit
from mgcl.transport.pairwise import ComputedSimilarities, SimilarityStore
from mgcl.transport.similarity import Similarity, column_shares, plans, similarity
from mgcl.transport.sinkhorn import Transport, sinkhorn

__all__ = [
    "ComputedSimilarities",
    "Similarity",
    "SimilarityStore",
    "Transport",
    "column_shares",
    "inner",
    "pairwise_cosine",
    "plans",
    "similarity",
    "sinkhorn",
    "unit",
]

"""Optimal transport between two sets of segments: cost, Sinkhorn's plan, and the similarity computed from it.

The package imports nothing, so that planning can import ``matching`` without loading torch.
"""

"""Optimal transport between two sets of segments: cost, Sinkhorn's plan, and the similarity it gives.

It imports nothing, so that planning reads ``matching`` without loading torch.
"""

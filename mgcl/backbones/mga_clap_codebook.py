"""MGA-CLAP whose segments are aggregated over the codebook, each by itself; all else is as in ``mga_clap``."""

from mgcl.backbones import mga_clap
from mgcl.backbones.mga_clap import ALIGNS as ALIGNS
from mgcl.backbones.mga_clap import PUBLISHED as PUBLISHED


def load(weights: str | None = None, device: str = "cpu") -> mga_clap.MgaClap:
    """Load a checkpoint as ``mga_clap.load`` does, from the same places."""
    return mga_clap.load(weights, device, over_codebook=True)

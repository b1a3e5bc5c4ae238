"""Rows of a bank as the tensors that methods take."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.features import FeatureBank
from mgcl.methods.method import ClipFeatures
from mgcl.transport.cost import unit


def clip_features(bank: FeatureBank, rows: NDArray[Any], device: torch.device) -> ClipFeatures:
    """Features of the clips in the given rows of a bank; ``rows`` has shape (b,) or (episodes, b)."""
    captions, statistics = bank.caption_embeddings, bank.mel_statistics
    return ClipFeatures(
        segments=units(bank.segment_embeddings[rows], device),
        clip=units(bank.clip_embeddings[rows], device),
        caption=None if captions is None else units(captions[rows], device),
        rows=rows,
        mel_statistics=None if statistics is None else _tensor(statistics[rows], device),
    )


def units(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Vectors scaled to unit length, shape (..., d)."""
    return unit(_tensor(array, device))


def _tensor(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Tensor of an array of a bank; read-only arrays, which torch does not take, are copied."""
    return torch.from_numpy(np.require(array, requirements="W")).to(device)

"""A bank's rows as methods take them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.features import FeatureBank
from mgcl.methods.method import ClipFeatures
from mgcl.transport.cost import unit


def clip_features(bank: FeatureBank, rows: NDArray[Any], device: torch.device) -> ClipFeatures:
    """Some clips of a bank, by row, shape (b,) or (episodes, b)."""
    captions, statistics = bank.caption_embeddings, bank.mel_statistics
    return ClipFeatures(
        segments=units(bank.segment_embeddings[rows], device),
        clip=units(bank.clip_embeddings[rows], device),
        caption=None if captions is None else units(captions[rows], device),
        rows=rows,
        mel_statistics=None if statistics is None else _tensor(statistics[rows], device),
    )


def units(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Vectors, shape (..., d), at unit length."""
    return unit(_tensor(array, device))


def _tensor(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """A bank is read-only, which torch does not take: whole columns are copied, rows of them are copies."""
    return torch.from_numpy(np.require(array, requirements="W")).to(device)

"""Clips of a bank by class, grouped once per bank and not once per trial."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from mgcl.data._episodes import Pool, pool

if TYPE_CHECKING:
    from mgcl.features import FeatureBank


@lru_cache(maxsize=4)
def pooled(bank: FeatureBank) -> Pool:
    """Clips of a bank, which has labels, by class; see ``mgcl.data._episodes.pool``."""
    return pool(bank.clip_records)

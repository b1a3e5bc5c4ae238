"""Tokens of a bank's clips, gathered for one batch at a time, so that a bank may be larger than memory."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.methods.recogniser import Clips, Inputs, Tokens

EIGHT_BIT = "vggish-8bit"
"""In a backbone's name: its audio tokens are whole numbers of 0..255, divided by 255 instead of scaled to length 1."""


@dataclass(frozen=True)
class Source:
    """Tokens of a bank as a recogniser sees them."""

    bank: FeatureBank
    inputs: Inputs
    device: torch.device

    @cached_property
    def columns(self) -> dict[str, Ragged]:
        """Name of a modality -> its tokens."""
        return {name: self.bank.ragged(name) for name in self.inputs.reads}

    def dim(self, name: str) -> int:
        """Dimension of a modality's tokens; 1 for one that is not seen, which has none."""
        return int(self.columns[name].values.shape[-1]) if name in self.columns else 1

    def clips(self, rows: NDArray[np.intp], random: np.random.Generator | None = None) -> Clips:
        """Gather clips.

        Args:
            rows: rows of the bank.
            random: source of the windows' starts, in training; None: windows are in the middle, as in tests.
        """
        seconds = self.inputs.test_seconds if random is None else self.inputs.train_seconds
        starts = np.zeros(len(rows))
        if seconds is not None:
            left = np.maximum(self._durations(rows) - seconds, 0)
            starts = left * (0.5 if random is None else random.random(len(rows)))
        return Clips(self._tokens("audio", rows, starts, seconds), self._tokens("video", rows, starts, seconds))

    def _durations(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Length of each clip in seconds, of its longer modality."""
        steps = self.bank.header.tokens
        durations = [steps[name].step * column.lengths[rows] for name, column in self.columns.items()]
        longest: NDArray[np.float64] = np.max(durations, axis=0)
        return longest

    def _tokens(self, name: str, rows: NDArray[np.intp], starts: NDArray[np.float64], seconds: float | None) -> Tokens:
        if name not in self.columns:
            nothing = torch.zeros(len(rows), 0, device=self.device)
            return Tokens(nothing[..., None], nothing[0], nothing.bool())
        column, step = self.columns[name], self.bank.header.tokens[name].step
        first = np.rint(starts / step).astype(np.intp)
        lengths = np.maximum(column.lengths[rows] - first, 0)
        if seconds is not None:
            lengths = np.minimum(lengths, max(1, round(seconds / step)))
        places = np.arange(max(lengths, default=0))
        present = places < lengths[:, None]
        index = np.where(present, column.offsets[rows, None] + first[:, None] + places, 0)
        values = column.values[index].astype(np.float32) * present[..., None] if index.size else column.values[index]
        there = torch.from_numpy(present).to(self.device)
        scaled = self._scaled(name, torch.from_numpy(np.asarray(values, np.float32)).to(self.device))
        return Tokens(scaled, torch.from_numpy(step * places).float().to(self.device), there)

    def _scaled(self, name: str, values: torch.Tensor) -> torch.Tensor:
        if name == "audio" and EIGHT_BIT in self.bank.header.backbone:
            return values / 255
        over_time = name == "video" and self.inputs.normalise == "time"
        return F.normalize(values, dim=1 if over_time else -1)

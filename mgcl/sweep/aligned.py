"""Picture for a report: how a clip of a bank meets its sentence, word by word and frame by frame (MGA-CLAP)."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mgcl.catalogue import load, names
from mgcl.errors import BackboneError
from mgcl.features import FeatureBank
from mgcl.features.columns import Floats
from mgcl.reporting.alignment_figure import alignment as drawn
from mgcl.reporting.figure import Figure
from mgcl.reporting.plan_drawing import Excerpt

if TYPE_CHECKING:
    from mgcl.backbones.backbone import Aligning, Backbone

_ALIKE = 1e-3
"""Largest difference of a number between the bank's vector of the sentence and the backbone's own."""


def alignment(bank: FeatureBank, audio: Mapping[str, Path]) -> Figure | None:
    """Draw how the first seconds of a bank's first clip meet its first caption, or the prompt of its first class.

    Args:
        bank: the feature bank.
        audio: clip id -> audio file.

    Returns:
        The picture; None: no clip has a sentence and a file, or the backbone divides no cosine. If it does, but is not
        here, or has other weights than the bank, this is said on stderr.

    Raises:
        DataError: the clip's audio cannot be decoded.
    """
    name = bank.header.backbone.split()[0]
    found = _sentence(bank, audio)
    if found is None or name not in names("backbone") or not getattr(load("backbone", name), "ALIGNS", False):
        return None
    clip, sentence, vector = found
    try:
        backbone = load("backbone", name).load()
        own = backbone.embed_text([sentence])[0].numpy()
        same = own.shape == vector.shape and np.abs(_unit(own) - _unit(vector)).max() < _ALIKE
    except BackboneError as error:
        print(f"no picture of words over frames: {error}", file=sys.stderr)
        return None
    if not same:
        print(
            f"no picture of words over frames: {name} has other weights here than the bank {bank.path} was made with",
            file=sys.stderr,
        )
        return None
    return _drawn(backbone, clip, audio[clip], sentence)


def _sentence(bank: FeatureBank, audio: Mapping[str, Path]) -> tuple[str, str, Floats] | None:
    """First clip that has a sentence and a file: its id, the sentence and the bank's vector of it."""
    captioned = not bank.lacks(["captions"])
    if not audio or (not captioned and bank.lacks(["prompt"])):
        return None
    for row, clip in enumerate(bank.clips["clip_id"].to_pylist()):
        if clip not in audio or not (captioned or bank.labels[row]):
            continue
        if captioned:
            return clip, bank.clips["captions"][row].as_py()[0], bank.ragged("captions")[row][0]
        place = bank.row_of_class[bank.labels[row][0]]
        return clip, bank.classes["prompt"][place].as_py(), bank.prompt_embeddings[place]
    return None


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector))


def _drawn(backbone: "Backbone", clip: str, file: Path, sentence: str) -> Figure:
    import torch

    from mgcl.audio.excerpt import load_clip

    waveform = load_clip(file, clip_id=clip, sample_rate=backbone.sample_rate, seconds=backbone.seconds, long="first")
    aligning: Aligning = backbone  # type: ignore[assignment]  # its module says so
    found = aligning.align(torch.from_numpy(waveform), sentence)
    where = f"The first {backbone.seconds:g} s of clip {clip}"
    return drawn(where, found, Excerpt(waveform, backbone.sample_rate), backbone.seconds)

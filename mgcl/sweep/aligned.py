"""Picture for a report: how a clip of a bank meets its sentence, word by word and frame by frame (MGA-CLAP)."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mgcl.catalogue import load, names
from mgcl.errors import BackboneError, MgclError
from mgcl.features import FeatureBank
from mgcl.features.columns import Floats, Numbers
from mgcl.reporting.alignment_figure import alignment as drawn
from mgcl.reporting.figure import Figure
from mgcl.reporting.plan_drawing import Excerpt

if TYPE_CHECKING:
    from mgcl.backbones.backbone import Aligning

_ALIKE = 1e-3
"""Largest difference of a number between the bank's vector of the sentence and the backbone's own."""


def alignment(bank: FeatureBank, audio: Mapping[str, Path]) -> Figure | None:
    """Draw how the beginning of a bank's first clip meets the clip's first caption, or the prompt of its first class.

    Args:
        bank: the feature bank.
        audio: clip id -> audio file.

    Returns:
        The picture; None: no clip has a sentence and a file, or the backbone divides no cosine. A fault, such as other
        weights than the bank's, is said on stderr and costs the picture alone.
    """
    name = bank.header.backbone.split()[0]
    if not audio or name not in names("backbone") or not getattr(load("backbone", name), "ALIGNS", False):
        return None
    try:
        found = _sentence(bank, audio)
        return None if found is None else _drawn(bank, name, audio[found[0]], *found)
    except MgclError as error:
        print(f"no picture of words over frames: {error}", file=sys.stderr)
    return None


def _sentence(bank: FeatureBank, audio: Mapping[str, Path]) -> tuple[str, str, Numbers] | None:
    """First clip that has a sentence and a file: its id, the sentence and the bank's vector of it."""
    captioned = not bank.lacks(["captions"])
    if not captioned and bank.lacks(["prompt"]):
        return None
    for clip, row in bank.row_of_clip.items():
        if clip not in audio:
            continue
        if captioned:
            if sentences := bank.clips["captions"][row].as_py():
                return clip, sentences[0], bank.ragged("captions")[row][0]
        elif bank.labels[row]:
            place = bank.row_of_class[bank.labels[row][0]]
            return clip, bank.classes["prompt"][place].as_py(), bank.prompt_embeddings[place]
    return None


def _drawn(bank: FeatureBank, name: str, file: Path, clip: str, sentence: str, vector: Numbers) -> Figure:
    import torch

    from mgcl.audio.excerpt import load_clip

    backbone = load("backbone", name).load()
    own = _unit(backbone.embed_text([sentence])[0].numpy())
    if own.shape != vector.shape or np.abs(own - _unit(vector)).max() > _ALIKE:
        variable = f"MGCL_{name.upper()}_WEIGHTS"
        raise BackboneError(
            f"{bank.path} was made with other weights of {name} than those here; set {variable} to them"
        )
    rate, seconds = backbone.sample_rate, backbone.seconds
    short = bank.header.window.short if bank.header.window else "repeat"
    waveform = load_clip(file, clip_id=clip, sample_rate=rate, seconds=seconds, short=short, long="first")
    aligning: Aligning = backbone
    found = aligning.align(torch.from_numpy(waveform), sentence)
    where = f"The beginning of clip {clip}, {seconds:g} s as the backbone takes them"
    return drawn(where, found, Excerpt(waveform, rate), seconds)


def _unit(vector: Numbers) -> Floats:
    exact = np.asarray(vector, np.float32)
    return np.asarray(exact / np.linalg.norm(exact))

"""Word vectors of a stage's classes, always found by the class's name."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.features import FeatureBank
from mgcl.methods.audio_visual._means import Means
from mgcl.methods.recogniser import Words
from mgcl.seeding import generator
from mgcl.tasks._generalised.parts import Stage
from mgcl.tasks._generalised.tokens import Source

_CODE = 64
"""Dimension of a drawn label code."""


def word_vectors(kind: Words | None, source: Source, stage: Stage, *, novel: bool) -> torch.Tensor:
    """Return one vector per class of the stage, shape (classes, w); w is 0 for a recogniser that reads none.

    Args:
        kind: which vectors.
        source: tokens of the clips, for the means of classes.
        stage: the stage.
        novel: whether novel classes are known yet; the mean of an unknown class is 0.
    """
    if kind == "prototypes":
        return _means(source, stage, novel=novel)
    if kind is None:
        found = np.zeros((len(stage.classes), 0), np.float32)
    elif kind == "codes":
        found = np.stack([_code(source.bank.header.dataset, label) for label in stage.classes])
    else:
        names = derangement(source.bank) if kind == "permuted" else {label: label for label in stage.classes}
        found = named(source.bank, [names[label] for label in stage.classes])
    return torch.from_numpy(found).to(source.device)


def named(bank: FeatureBank, labels: Sequence[str]) -> NDArray[np.float32]:
    """Word vectors of classes, in the order of the labels."""
    return np.array(bank.floats("word_vector")[[bank.row_of_class[label] for label in labels]])


def derangement(bank: FeatureBank) -> dict[str, str]:
    """Class -> another class, fixed for the data set: a drawn cycle through all classes."""
    labels = sorted(bank.row_of_class)
    cycle = [str(each) for each in generator("permuted words", bank.header.dataset).permutation(labels)]
    return dict(zip(cycle, [*cycle[1:], cycle[0]], strict=True))


def _code(dataset: str, label: str) -> NDArray[np.float32]:
    drawn = generator("label code", dataset, label).standard_normal(_CODE)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def _means(source: Source, stage: Stage, *, novel: bool) -> torch.Tensor:
    """Mean over a class's training clips of [unit mean audio token; unit mean video token] (AV-DIFF Table 6)."""
    rows, labels = stage.base_rows, stage.base_labels
    if novel:
        rows, labels = np.concatenate([rows, stage.novel_rows]), np.concatenate([labels, stage.novel_labels])
    whole = replace(source, inputs=replace(source.inputs, train_seconds=None, test_seconds=None))
    vectors = torch.cat([Means()(whole.clips(each)) for each in np.array_split(rows, max(1, len(rows) // 256))])
    of = torch.from_numpy(labels).to(source.device)
    sums = vectors.new_zeros(len(stage.classes), vectors.shape[-1]).index_add(0, of, vectors)
    counts = torch.bincount(of, minlength=len(stage.classes)).clamp(min=1)
    return sums / counts[:, None]

"""Trials of recognisers that tests share: small models, few steps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from mgcl.catalogue import load
from mgcl.features import FeatureBank
from mgcl.parameters import flat, from_flat
from mgcl.records import Trial
from mgcl.tasks import Setup, generalised
from mgcl.tasks._generalised.curriculum import Curriculum

SMALL: Mapping[str, Any] = {
    "base_epochs": 2,
    "novel_epochs": 2,
    "batches": 3,
    "batch_size": 8,
    "width": 16,
    "encoder_hidden": 16,
    "head_hidden": 16,
    "feature_width": 8,
    "heads": 2,
    "head_dim": 8,
    "mlp": 16,
    "diffusion_steps": 4,
    "diffusion_hidden": 8,
    "gan_hidden": 8,
    "gan_latent": 4,
}
"""Values for whatever recogniser has the parameter."""


def small(method: str, **changes: Any) -> Any:
    """A recogniser's parameters, made small; a recogniser that is not trained keeps its 0 batches."""
    kind = load("method", method).Parameters
    known = flat(kind())
    values = {name: value for name, value in SMALL.items() if known.get(name)}
    return from_flat(kind, {**values, **changes})


def trial(bank: FeatureBank, method: str, *, shot: int = 2, seed: int = 0, draws: int = 2, **changes: Any) -> Trial:
    """A trial on an audio-visual bank."""
    (cell,) = generalised.cells(generalised.Draws((shot,), (seed,), draws), bank)
    parameters = flat(small(method, **changes))
    module = load("method", method)
    return Trial(
        "generalised", generalised.VERSION, bank.digest, bank.header.dataset, cell, method, module.VERSION, parameters
    )


def curriculum(bank: FeatureBank, method: str, **changes: Any) -> Curriculum:
    """The curriculum of such a trial."""
    made = trial(bank, method, **changes)
    module = load("method", method)
    parameters = from_flat(module.Parameters, made.parameters)
    return Curriculum(Setup(made, bank, module, parameters, None, torch.device("cpu")))


def poisoned(bank: FeatureBank, path: Any, split: str) -> FeatureBank:
    """The bank with noise in place of the tokens of one split."""
    import numpy as np

    from mgcl.features.columns import Ragged
    from mgcl.features.writer import write_bank

    random = np.random.default_rng(9)
    tokens = {}
    for name in ("audio", "video"):
        rows = [np.array(bank.ragged(name)[row]) for row in range(len(bank.clips))]
        there = bank.clips["split"].to_pylist()
        tokens[name] = Ragged.of(
            [
                random.standard_normal(row.shape).astype(np.float32) if which == split else row
                for row, which in zip(rows, there, strict=True)
            ]
        )
    return write_bank(
        path,
        replace(bank.header),
        {**{name: bank.clips[name].to_pylist() for name in ("clip_id", "label", "split")}, **tokens},
        {
            **{name: bank.classes[name].to_pylist() for name in ("label", "part")},
            "word_vector": bank.floats("word_vector"),
        },
    )

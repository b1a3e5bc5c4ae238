"""Sentences of all classes as a support set without clips, and the logits of clips or frames with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.methods.method import ClipFeatures, Support
from mgcl.records import NO_TRANSPORT, Convergence
from mgcl.tasks import Setup
from mgcl.tasks._features import clip_features, units
from mgcl.transport.cost import unit

if TYPE_CHECKING:
    from mgcl.features import FeatureBank

Logits = NDArray[np.float32]


def texts_of(parameters: Any, default: str = "prompt") -> str:
    """Column of class texts that a method's parameters name; ``default`` if they name none."""
    return str(getattr(parameters, "texts", "") or default)


def described(bank: FeatureBank, texts: str, device: torch.device) -> Support:
    """Support with the texts of all classes and without clips.

    Args:
        bank: the feature bank.
        texts: column of class texts; of several vectors per class the mean of the unit vectors counts.
        device: a torch device.
    """
    chosen = units(bank.floats(texts), device)
    prompts = unit(chosen.mean(-2)) if chosen.ndim == 3 else chosen
    explanations = units(bank.floats("explanations"), device) if not bank.lacks(["explanations"]) else prompts[:, None]
    return with_sentences(bank, prompts, explanations)


def with_sentences(bank: FeatureBank, prompts: torch.Tensor, explanations: torch.Tensor) -> Support:
    """Support of one class per sentence and without clips."""
    labels = torch.zeros(0, dtype=torch.int64, device=prompts.device)
    seed = torch.zeros((), dtype=torch.int64, device=prompts.device)
    none = clip_features(bank, np.arange(0), prompts.device)
    return Support(none, labels, prompts, explanations, bank.header.logit_scale, seed)


def clips_of(setup: Setup, stack: int) -> Iterator[ClipFeatures]:
    """Features of all clips of the bank, ``stack`` at a time."""
    rows = np.arange(len(setup.bank.clips))
    return (clip_features(setup.bank, rows[start : start + stack], setup.device) for start in rows[::stack])


def frames_of(setup: Setup, stack: int) -> Iterator[ClipFeatures]:
    """Segments of all clips of the bank, each as a clip of its own; those of ``stack`` clips at a time."""
    segments = setup.bank.segment_embeddings
    for start in range(0, len(segments), stack):
        frames = units(segments[start : start + stack], setup.device).flatten(0, 1)
        yield ClipFeatures(frames[:, None], frames, None)


def logits(
    setup: Setup,
    support: Support,
    features: Iterable[ClipFeatures],
    asked: NDArray[np.intp] | None = None,
    *,
    kept: Callable[[Logits], NDArray[Any]] = lambda part: part,
) -> tuple[NDArray[Any], Convergence]:
    """Logits of clips or frames, and the transport problems of the method.

    Args:
        setup: the trial.
        support: sentences of all classes.
        features: clips or frames, a part at a time.
        asked: index of the one class that each clip or frame is asked for, shape (rows,); None: all classes.
        kept: what is kept of the logits of a part, one entry per row; all logits of a million clips would fill memory.

    Returns:
        Shape (rows, classes), or (rows,) if one class is asked for; or what is kept of it.

    Raises:
        FloatingPointError: a logit is not finite.
    """
    fitted = setup.method.fit(support, setup.parameters)
    found: list[NDArray[Any]] = []
    convergence = NO_TRANSPORT
    for each in features:
        prediction = setup.method.predict(fitted, each)
        start = sum(len(one) for one in found)
        if not prediction.logits.isfinite().all():
            raise FloatingPointError(f"clips from {start}: a logit is not finite")
        part = prediction.logits.cpu().numpy()
        part = part if asked is None else part[np.arange(len(part)), asked[start : start + len(part)]]
        found.append(kept(part))
        convergence += prediction.convergence
    return np.concatenate(found), convergence

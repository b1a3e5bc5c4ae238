"""Running of few-shot episodes: drawing, fitting, scoring. Apart from ``few_shot`` because it loads torch."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.data._episodes import Pool, draw
from mgcl.details import Confusion, ExplainedClip
from mgcl.methods.method import ClipFeatures, Prediction, Support
from mgcl.records import NO_TRANSPORT, Convergence, Episode
from mgcl.tasks import Measured, Setup
from mgcl.tasks._features import clip_features, units
from mgcl.tasks._pools import pooled
from mgcl.transport.matching import Matching
from mgcl.transport.pairwise import SimilarityStore
from mgcl.transport.similarity import Similarity

# So many episodes are computed together as fill two gigabytes on a GPU, or 256 MB on a CPU, which more makes slower; at
# most _LARGEST_STACK.
_LARGEST_STACK = 32
_CPU_NUMBERS, _GPU_NUMBERS = 2**26, 2**29


def largest_stack(setup: Setup) -> int:
    """Number of episodes to compute together: several, because calls take most of a small episode's time.

    It depends on the trial, the bank and the kind of device only, not on the free memory, so that a trial always has
    the same arithmetic.
    """
    cell = setup.trial.cell
    header = setup.bank.header
    rows = cell.way * (cell.shot + cell.queries) * header.segments
    # Five d x d matrices with a gradient and Adam's two moments, and eight copies of each segment.
    numbers = 20 * header.embedding_dim**2 + 8 * rows * header.embedding_dim
    room = _CPU_NUMBERS if setup.device.type == "cpu" else _GPU_NUMBERS
    return int(max(1, min(_LARGEST_STACK, cell.episodes, room // numbers)))


def run(setup: Setup, stack: int) -> Measured:
    """Run a trial's episodes in order, ``stack`` at a time.

    Raises:
        FloatingPointError: a logit is not finite.
    """
    clips, count = pooled(setup.bank), setup.trial.cell.episodes
    confusions: list[Confusion] = []
    explained: ExplainedClip | None = None
    convergence: Convergence = NO_TRANSPORT
    for first in range(0, count, stack):
        episodes = [_draw(setup, clips, index) for index in range(first, min(first + stack, count))]
        support, query = _support(setup, episodes), _clips(setup, [each.query for each in episodes])
        fitted = setup.method.fit(support, setup.parameters)
        prediction = setup.method.predict(fitted, query)
        confusions += _counted(episodes, prediction)
        convergence += prediction.convergence + getattr(fitted, "convergence", NO_TRANSPORT)
        explained = explained or _explain(setup, episodes[0], fitted, query, prediction)
    scores = {"accuracy": tuple(each.accuracy for each in confusions)}
    return Measured(scores, convergence, tuple(confusions), explained)


def _draw(setup: Setup, clips: Pool, index: int) -> Episode:
    cell = setup.trial.cell
    return draw(
        clips,
        dataset=setup.trial.dataset,
        fold=cell.fold,
        way=cell.way,
        shot=cell.shot,
        queries=cell.queries,
        seed=cell.seed,
        index=index,
        split=cell.split,
    )


def _counted(episodes: Sequence[Episode], prediction: Prediction) -> Iterator[Confusion]:
    answers = prediction.logits.argmax(-1).cpu().numpy()
    finite = prediction.logits.isfinite().flatten(1).all(1).tolist()
    for episode, predicted, usable in zip(episodes, answers, finite, strict=True):
        if not usable:
            raise FloatingPointError(f"episode {episode.index}: a logit is not finite")
        way = len(episode.classes)
        counts = tuple(
            tuple(int(count) for count in np.bincount(row, minlength=way)) for row in predicted.reshape(way, -1)
        )
        yield Confusion(episode.classes, counts)


def _support(setup: Setup, episodes: Sequence[Episode]) -> Support:
    bank, device, cell = setup.bank, setup.device, setup.trial.cell
    rows = np.array([[bank.row_of_class[label] for label in episode.classes] for episode in episodes])
    prompts, explanations = (
        np.empty((len(bank.classes), *none), np.float32) if bank.lacks([name]) else bank.floats(name)
        for name, none in (("prompt", (0,)), ("explanations", (0, 0)))
    )
    return Support(
        clips=_clips(setup, [episode.support for episode in episodes]),
        labels=torch.arange(cell.way, device=device).repeat_interleave(cell.shot),
        prompts=units(prompts[rows], device),
        explanations=units(explanations[rows], device),
        logit_scale=bank.header.logit_scale,
        seeds=torch.tensor([episode.seed for episode in episodes], device=device),
        known_similarity=partial(_known_similarity, setup.similarities) if setup.similarities else None,
    )


def _known_similarity(
    similarities: SimilarityStore, clips: ClipFeatures, others: ClipFeatures, matching: Matching
) -> Similarity:
    pairs = zip(_rows(clips), _rows(others), strict=True)
    values, converged = zip(*(similarities.look_up(*each, matching) for each in pairs), strict=True)
    return Similarity(torch.stack(values), torch.stack(converged))


def _rows(clips: ClipFeatures) -> NDArray[np.intp]:
    if clips.rows is None:
        raise ValueError("only a bank's clips have known similarities")
    return clips.rows


def _clips(setup: Setup, clip_ids: list[tuple[tuple[str, ...], ...]]) -> ClipFeatures:
    """Features of the clips of a stack of episodes; ``clip_ids`` has shape (way, clips) per episode."""
    bank = setup.bank
    rows = np.array([[bank.row_of_clip[clip_id] for clip_id in _flat(episode)] for episode in clip_ids])
    return clip_features(bank, rows, setup.device)


def _flat(clip_ids: tuple[tuple[str, ...], ...]) -> list[str]:
    return [clip_id for row in clip_ids for clip_id in row]


def _explain(
    setup: Setup, episode: Episode, fitted: object, query: ClipFeatures, prediction: Prediction
) -> ExplainedClip:
    """Explain the first query clip of a stack's first episode, which belongs to the episode's first class."""
    header, classes = setup.bank.header, episode.classes
    predicted = int(prediction.logits[0, 0].argmax())
    statistics = None if query.mel_statistics is None else query.mel_statistics[:, :1]
    caption = None if query.caption is None else query.caption[:, :1]
    clip = ClipFeatures(query.segments[:, :1], query.clip[:, :1], caption, _rows(query)[:, :1], statistics)
    names = {"support": _flat(episode.support), "class": classes}
    step = header.seconds / header.segments
    return ExplainedClip(
        clip_id=episode.query[0][0],
        label=classes[0],
        predicted=classes[predicted],
        segment_times=tuple((index + 0.5) * step for index in range(header.segments)),
        parts={part: tuple(scores[0, 0].tolist()) for part, scores in prediction.parts.items()},
        plans={
            f"{match.part}: {names[match.against][match.index]}": tuple(map(tuple, match.plan.tolist()))
            for match in setup.method.explain(fitted, clip, tuple(sorted({0, predicted})))
        },
    )

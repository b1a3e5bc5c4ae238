"""A trial: E episodes of one method on one bank. No Ray, no MLflow; it settles torch's arithmetic."""

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.catalogue import load
from mgcl.data.episodes import VERSION, Pool, draw, pool
from mgcl.errors import SweepError
from mgcl.features import FeatureBank
from mgcl.methods.method import ClipFeatures, Method, Prediction, Support
from mgcl.records import NO_TRANSPORT, Convergence, Episode, EpisodeResult, ExplainedClip, Matching, Trial, TrialResult
from mgcl.transport import PassingSimilarities, Similarity, SimilarityStore, unit

# On a GPU as many episodes are computed together as fill two gigabytes, and no more than this.
_LARGEST_STACK = 32
_STACK_NUMBERS = 2**29


@dataclass(frozen=True)
class _Setting:
    """What every episode of a trial shares."""

    trial: Trial
    bank: FeatureBank
    method: Method
    parameters: object
    clips: Pool
    similarities: SimilarityStore
    device: torch.device


def similarity_store(
    bank: FeatureBank, *, root: Path | None = None, device: str = "cpu", passing: bool = False
) -> SimilarityStore:
    """The all-pairs store of a bank's clips; tiles are kept under ``root``, or in memory; ``passing``: nowhere."""
    labels = np.array(bank.clips["label"].to_pylist())
    segments, check = bank.segment_embeddings, bank.check_unchanged
    kind = PassingSimilarities if passing else SimilarityStore
    return kind(segments, labels, digest=bank.digest, root=root, device=device, check=check)


def run_trial(
    trial: Trial, bank: FeatureBank, *, device: str = "cpu", similarities: SimilarityStore | None = None
) -> TrialResult:
    """Run a trial's episodes in order.

    Args:
        trial: what to run.
        bank: the bank that the trial names by digest.
        device: a torch device; accuracies are the same to the bit for one device type, one torch build and one thread.
        similarities: the bank's store on that device, to be shared by trials; None keeps one in memory for this trial.

    Raises:
        SweepError: the bank has another content than the trial was planned for, or this mgcl another version of
            the method.
    """
    started = time.perf_counter()
    setting = _setting(trial, bank, device, similarities or similarity_store(bank, device=device))
    if not trial.episodes:
        raise SweepError("a trial needs at least one episode; raise --episodes")
    stack = _stack_size(setting)
    while True:
        try:
            episodes, convergence, explained = _run_episodes(setting, stack)
        except torch.cuda.OutOfMemoryError:
            if stack == 1:
                raise
            stack //= 2  # all of it again: the stack is part of the arithmetic
            torch.cuda.empty_cache()
        else:
            seconds = time.perf_counter() - started
            return TrialResult(trial.key, episodes, convergence, explained, seconds, device, stack, platform.node())


def _setting(trial: Trial, bank: FeatureBank, device: str, similarities: SimilarityStore) -> _Setting:
    if bank.digest != trial.bank:
        raise SweepError(f"{bank.path}: changed since the sweep was planned; start the sweep again")
    if trial.protocol != VERSION:
        raise SweepError(f"episodes are drawn by protocol {VERSION} here, {trial.protocol} where the sweep was planned")
    method: Method = load("method", trial.method)
    if trial.version != method.VERSION:
        raise SweepError(
            f"method {trial.method} is version {method.VERSION} here, {trial.version} where the sweep was "
            "planned; install one mgcl everywhere"
        )
    _settle_arithmetic()
    parameters = method.Parameters(**trial.parameters)
    return _Setting(trial, bank, method, parameters, pool(bank.clip_records), similarities, torch.device(device))


def _stack_size(setting: _Setting) -> int:
    """Episodes to compute together: one on a CPU; on a GPU, where small kernels wait for their start, what fits.

    It follows from the trial and the bank alone, not from the free memory: the same trial, the same arithmetic.
    """
    if setting.device.type == "cpu":
        return 1
    trial, header = setting.trial, setting.bank.header
    rows = trial.way * (trial.shot + trial.queries) * header.segments
    # Five d x d matrices with a gradient and Adam's two moments, and some copies of each segment.
    numbers = 20 * header.embedding_dim**2 + 8 * rows * header.embedding_dim
    return max(1, min(_LARGEST_STACK, trial.episodes, _STACK_NUMBERS // numbers))


def _settle_arithmetic() -> None:
    """Float32 means float32, and the same bits each time: no TF32, no kernel whose sums depend on scheduling."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS's own condition for the same bits
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True)
    # Filling what is yet to be written guards against bugs of torch; it costs a tenth of a trial.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _run_episodes(setting: _Setting, stack: int) -> tuple[tuple[EpisodeResult, ...], Convergence, ExplainedClip]:
    results: list[EpisodeResult] = []
    explained: list[ExplainedClip] = []
    convergence = NO_TRANSPORT
    for first in range(0, setting.trial.episodes, stack):
        episodes = [_draw(setting, index) for index in range(first, min(first + stack, setting.trial.episodes))]
        support, query = _support(setting, episodes), _clip_features(setting, [each.query for each in episodes])
        fitted = setting.method.fit(support, setting.parameters)
        prediction = setting.method.predict(fitted, query)
        results += _counted(episodes, prediction)
        convergence += prediction.convergence + getattr(fitted, "convergence", NO_TRANSPORT)
        if not explained:
            explained.append(_explain(setting, episodes[0], fitted, query, prediction))
    return tuple(results), convergence, explained[0]


def _draw(setting: _Setting, index: int) -> Episode:
    trial = setting.trial
    return draw(
        setting.clips,
        dataset=trial.dataset,
        fold=trial.fold,
        way=trial.way,
        shot=trial.shot,
        queries=trial.queries,
        seed=trial.seed,
        index=index,
        split=trial.split,
    )


def _counted(episodes: list[Episode], prediction: Prediction) -> Iterator[EpisodeResult]:
    answers = prediction.logits.argmax(-1).cpu().numpy()
    finite = prediction.logits.isfinite().flatten(1).all(1).tolist()
    for episode, predicted, usable in zip(episodes, answers, finite, strict=True):
        if not usable:
            raise FloatingPointError(f"episode {episode.index}: a logit is not finite")
        way = len(episode.classes)
        confusion = tuple(
            tuple(int(count) for count in np.bincount(row, minlength=way)) for row in predicted.reshape(way, -1)
        )
        yield EpisodeResult(episode.index, episode.classes, confusion)


def _support(setting: _Setting, episodes: list[Episode]) -> Support:
    bank, device, trial = setting.bank, setting.device, setting.trial
    rows = np.array([[bank.row_of_class[label] for label in episode.classes] for episode in episodes])
    return Support(
        clips=_clip_features(setting, [episode.support for episode in episodes]),
        labels=torch.arange(trial.way, device=device).repeat_interleave(trial.shot),
        prompts=_units(bank.prompt_embeddings[rows], device),
        explanations=_units(bank.explanation_embeddings[rows], device),
        logit_scale=bank.header.logit_scale,
        seeds=torch.tensor([episode.seed for episode in episodes], device=device),
        known_similarity=partial(_known_similarity, setting.similarities),
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


def _clip_features(setting: _Setting, clip_ids: list[tuple[tuple[str, ...], ...]]) -> ClipFeatures:
    """Of a stack of episodes, each (way, clips)."""
    bank, device, statistics = setting.bank, setting.device, setting.bank.mel_statistics
    captions = bank.caption_embeddings
    rows = np.array([[bank.row_of_clip[clip_id] for clip_id in _flat(episode)] for episode in clip_ids])
    return ClipFeatures(
        segments=_units(bank.segment_embeddings[rows], device),
        clip=_units(bank.clip_embeddings[rows], device),
        caption=None if captions is None else _units(captions[rows], device),
        rows=rows,
        mel_statistics=None if statistics is None else torch.from_numpy(statistics[rows]).to(device),
    )


def _units(array: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    return unit(torch.from_numpy(array).to(device))


def _flat(clip_ids: tuple[tuple[str, ...], ...]) -> list[str]:
    return [clip_id for row in clip_ids for clip_id in row]


def _explain(
    setting: _Setting, episode: Episode, fitted: object, query: ClipFeatures, prediction: Prediction
) -> ExplainedClip:
    """The first query clip of a stack's first episode, which is of its first class."""
    header, classes = setting.bank.header, episode.classes
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
            for match in setting.method.explain(fitted, clip, tuple(sorted({0, predicted})))
        },
    )

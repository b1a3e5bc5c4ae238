"""A trial: E episodes of one method on one bank. No Ray, no MLflow, nothing written; it settles torch's arithmetic."""

import os
import platform
import time
from dataclasses import dataclass

import numpy as np
import torch

from mgcl.catalogue import load
from mgcl.data.episodes import VERSION, Pool, draw, pool
from mgcl.errors import SweepError
from mgcl.features import FeatureBank
from mgcl.methods.method import ClipFeatures, Method, Prediction, Support
from mgcl.records import Episode, EpisodeResult, ExplainedClip, Trial, TrialResult
from mgcl.transport import unit


@dataclass(frozen=True)
class _Setting:
    """What every episode of a trial shares."""

    trial: Trial
    bank: FeatureBank
    method: Method
    parameters: object
    clips: Pool
    device: torch.device


def run_trial(trial: Trial, bank: FeatureBank, *, device: str = "cpu") -> TrialResult:
    """Run a trial's episodes in order.

    Args:
        trial: what to run.
        bank: the bank that the trial names by digest.
        device: a torch device; accuracies are the same to the bit for one device type, one torch build and one thread.

    Raises:
        SweepError: the bank has another content than the trial was planned for, or this mgcl another version of
            the method.
    """
    setting = _setting(trial, bank, device)
    started, results, unconverged = time.perf_counter(), [], 0
    explained: ExplainedClip | None = None
    for index in range(trial.episodes):
        episode = draw(
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
        result, missed, explained = _run_episode(setting, episode, explained)
        results.append(result)
        unconverged += missed
    if explained is None:
        raise SweepError("a trial needs at least one episode; raise --episodes")
    seconds = time.perf_counter() - started
    return TrialResult(trial.key, tuple(results), unconverged, explained, seconds, device, platform.node())


def _setting(trial: Trial, bank: FeatureBank, device: str) -> _Setting:
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
    return _Setting(trial, bank, method, parameters, pool(bank.clip_records), torch.device(device))


def _settle_arithmetic() -> None:
    """Float32 means float32, and the same bits each time: no TF32, no kernel whose sums depend on scheduling."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS's own condition for the same bits
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True)


def _run_episode(
    setting: _Setting, episode: Episode, explained: ExplainedClip | None
) -> tuple[EpisodeResult, int, ExplainedClip]:
    """Fit, predict and count; the first episode's first query clip is explained too."""
    bank, method = setting.bank, setting.method
    support = _support(setting, episode)
    fitted = method.fit(support, setting.parameters)
    query = _clip_features(bank, _flat(episode.query), setting.device)
    prediction = method.predict(fitted, query)
    if not bool(prediction.logits.isfinite().all()):
        raise FloatingPointError(f"episode {episode.index}: a logit is not finite")
    predicted = prediction.logits.argmax(-1).cpu().numpy().reshape(len(episode.classes), -1)
    way = range(len(episode.classes))
    confusion = tuple(tuple(int(count) for count in np.bincount(row, minlength=len(way))) for row in predicted)
    if explained is None:
        explained = _explain(setting, episode, fitted, query, prediction)
    missed = prediction.unconverged + getattr(fitted, "unconverged", 0)
    return EpisodeResult(episode.index, episode.classes, confusion), missed, explained


def _support(setting: _Setting, episode: Episode) -> Support:
    bank, device = setting.bank, setting.device
    rows = [bank.row_of_class[label] for label in episode.classes]
    shot = setting.trial.shot
    return Support(
        clips=_clip_features(bank, _flat(episode.support), device),
        labels=torch.arange(len(rows), device=device).repeat_interleave(shot),
        shot=shot,
        prompts=_units(bank.prompt_embeddings[rows], device),
        explanations=_units(bank.explanation_embeddings[rows], device),
        logit_scale=bank.header.logit_scale,
        seed=episode.seed,
    )


def _clip_features(bank: FeatureBank, clip_ids: list[str], device: torch.device) -> ClipFeatures:
    rows = [bank.row_of_clip[clip_id] for clip_id in clip_ids]
    return ClipFeatures(
        segments=_units(bank.segment_embeddings[rows], device),
        clip=_units(bank.clip_embeddings[rows], device),
        caption=_units(bank.caption_embeddings[rows], device),
    )


def _units(array: np.ndarray, device: torch.device) -> torch.Tensor:
    return unit(torch.from_numpy(array).to(device))


def _flat(clip_ids: tuple[tuple[str, ...], ...]) -> list[str]:
    return [clip_id for row in clip_ids for clip_id in row]


def _explain(
    setting: _Setting, episode: Episode, fitted: object, query: ClipFeatures, prediction: Prediction
) -> ExplainedClip:
    """The first query clip, which is of the episode's first class."""
    header, classes = setting.bank.header, episode.classes
    predicted = int(prediction.logits[0].argmax())
    clip = ClipFeatures(query.segments[:1], query.clip[:1], query.caption[:1])
    names = {"support": _flat(episode.support), "class": classes}
    step = header.seconds / header.segments
    return ExplainedClip(
        clip_id=episode.query[0][0],
        label=classes[0],
        predicted=classes[predicted],
        segment_times=tuple((index + 0.5) * step for index in range(header.segments)),
        parts={part: tuple(scores[0].tolist()) for part, scores in prediction.parts.items()},
        plans={
            f"{match.part}: {names[match.against][match.index]}": tuple(map(tuple, match.plan.tolist()))
            for match in setting.method.explain(fitted, clip, tuple(sorted({0, predicted})))
        },
    )

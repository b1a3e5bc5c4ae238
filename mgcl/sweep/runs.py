"""A trial as an MLflow run's tags, parameters and metrics, and back. Pure: no store."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mgcl.features import FeatureBank
from mgcl.records import Convergence, EpisodeResult, ExplainedClip, Setting, TrialResult, TrialRun
from mgcl.sweep.grid import Cell, setting_of

COLUMNS = ("variant", "fold", "way", "shot", "seed", "queries", "episodes", "split")
"""What the parameter columns show besides the method's own parameters."""


def run_name(cell: Cell) -> str:
    """What MLflow's list of runs shows."""
    trial = cell.trial
    return f"{cell.variants[0]} {trial.way}-way {trial.shot}-shot fold {trial.fold.index} seed {trial.seed}"


def variants_tag(variants: tuple[str, ...]) -> str:
    """Every row that a trial stands in."""
    return ", ".join(dict.fromkeys(variants))


def tags_of(cell: Cell, bank: FeatureBank) -> dict[str, str]:
    """What a run is found by, and what a report reads."""
    trial = cell.trial
    numbers = {"fold": trial.fold.index, "way": trial.way, "shot": trial.shot, "seed": trial.seed}
    setting = asdict(setting_of(trial, bank.header.backbone))
    naming = bank.captions_naming_class
    return {
        "kind": "trial",
        "trial_key": trial.key,
        "variant": cell.variants[0],
        "variants": variants_tag(cell.variants),
        "method": trial.method,
        "version": str(trial.version),
        "revision": bank.header.revision,
        **({} if naming is None else {"captions_naming_class": f"{naming:.6f}"}),
        **{name: str(value) for name, value in (numbers | setting).items()},
    }


def parameters_of(cell: Cell, bank: FeatureBank) -> dict[str, str]:
    """What MLflow's compare page puts on its axes."""
    tags = tags_of(cell, bank)
    own = {name: str(value) for name, value in cell.trial.parameters.items()}
    return {name: tags[name] for name in COLUMNS} | own


def result_tags(result: TrialResult) -> dict[str, str]:
    """Each episode's correct query clips, exact and short, and what else a report needs."""
    return {
        "episode_correct": " ".join(str(episode.correct) for episode in result.episodes),
        "problems": str(result.convergence.problems),
        "unconverged": str(result.convergence.unconverged),
        "device": result.device,
        "stack": str(result.stack),
        "host": result.host,
    }


def metrics_of(result: TrialResult) -> list[tuple[str, float, int]]:
    """Name, value and step of each, short enough to read; the first is what MLflow's compare page draws unasked."""
    once = {"accuracy": result.accuracy, "unconverged": result.convergence.unconverged, "seconds": result.seconds}
    return [
        *((name, round(float(value), 6), 0) for name, value in once.items()),
        *(("episode_accuracy", round(each.accuracy, 6), each.index) for each in result.episodes),
    ]


def trial_run(
    run_id: str,
    status: str,
    ended: float,
    tags: Mapping[str, str],
    parameters: Mapping[str, str],
    metrics: Mapping[str, float],
) -> TrialRun:
    """What ``tags_of``, ``parameters_of``, ``metrics_of`` and ``result_tags`` wrote, read back."""
    setting = Setting(
        dataset=tags["dataset"],
        backbone=tags["backbone"],
        bank=tags["bank"],
        folds=tags["folds"],
        split=tags["split"],
        protocol=int(tags["protocol"]),
        queries=int(tags["queries"]),
        episodes=int(tags["episodes"]),
    )
    queries = int(tags["way"]) * setting.queries
    return TrialRun(
        run_id=run_id,
        key=tags["trial_key"],
        status=status,
        setting=setting,
        variants=tuple(tags["variants"].split(", ")),
        fold=int(tags["fold"]),
        way=int(tags["way"]),
        shot=int(tags["shot"]),
        seed=int(tags["seed"]),
        method=tags["method"],
        version=int(tags["version"]),
        parameters={name: value for name, value in parameters.items() if name not in COLUMNS},
        accuracies=tuple(int(count) / queries for count in tags.get("episode_correct", "").split()),
        convergence=Convergence(int(tags.get("problems", 0)), int(tags.get("unconverged", 0))),
        device=tags.get("device", ""),
        error=tags.get("error", ""),
        revision=tags.get("revision", ""),
        commit=tags.get("commit", "")[:10] + ("+" if tags.get("dirty") == "True" else ""),
        captions_naming_class=float(tags["captions_naming_class"]) if "captions_naming_class" in tags else None,
        seconds=metrics.get("seconds"),
        ended=ended,
    )


def trial_json(cell: Cell, result: TrialResult) -> str:
    """All of a trial and its result, as its run's artifact keeps it."""
    return json.dumps({"trial": asdict(cell.trial), "result": result}, default=vars)  # asdict copies each number


def trial_result(text: str) -> TrialResult:
    """The result that ``trial_json`` wrote, read back."""
    content = _tuples(json.loads(text)["result"])
    parts = {
        "episodes": tuple(EpisodeResult(**each) for each in content["episodes"]),
        "convergence": Convergence(**content["convergence"]),
        "explained": ExplainedClip(**content["explained"]),
    }
    return TrialResult(**{**content, **parts})


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, dict):
        return {name: _tuples(each) for name, each in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

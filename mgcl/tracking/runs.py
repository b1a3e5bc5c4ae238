"""A trial as an MLflow run: conversion to name, tags, parameters and metrics, and back. Pure functions."""

import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from mgcl.catalogue import load
from mgcl.details import Confusion, ExplainedClip, Samples, Tradeoff
from mgcl.features import FeatureBank
from mgcl.records import Convergence, PlannedTrial, Searched, Setting, Trial, TrialResult, TrialRun, Value
from mgcl.tasks import FIRST, Coordinate, Task

TAG_LIMIT = 8000
"""Largest number of characters in an MLflow tag."""

_STEPS = 1000
"""Largest number of units whose scores become metric steps too, for MLflow's charts. More are stored in tags only."""


def run_name(planned: PlannedTrial) -> str:
    """Return the name of the run in MLflow's list."""
    task, place = _placed(planned.trial)
    pooled = " ".join(f"{name} {place[name]}" for name in task.POOLED)
    return f"{row_and_column(planned)} {pooled}".strip()


def row_and_column(planned: PlannedTrial) -> str:
    """Return the first row that a trial belongs to, and its column."""
    task, place = _placed(planned.trial)
    return f"{planned.variants[0]} {task.column_name([place[name] for name in task.COLUMNS])}"


def rows_tags(
    variants: Sequence[str], searched: Mapping[str, str], searches: Mapping[str, Searched] | None = None
) -> dict[str, str]:
    """Return tags with all rows that a trial belongs to, and those with searched values.

    ``_rows`` and ``_searches`` read them.
    """
    tags = {"variants": json.dumps(list(dict.fromkeys(variants)))}
    if searched:
        tags["searched"] = json.dumps(dict(searched))
    if searches:
        tags["searches"] = json.dumps({row: asdict(each) for row, each in searches.items()})
    return tags


def tags_of(planned: PlannedTrial, bank: FeatureBank) -> dict[str, str]:
    """Return the tags that identify a run, and those that a report reads."""
    trial = planned.trial
    _, place = _placed(trial)
    naming = bank.captions_naming_class
    return {
        "kind": "trial",
        "trial_key": trial.key,
        "variant": planned.variants[0],
        **rows_tags(planned.variants, planned.searched, planned.searches),
        "method": trial.method,
        "version": str(trial.version),
        "task": trial.task,
        "protocol": str(trial.protocol),
        "dataset": trial.dataset,
        "revision": bank.header.revision,
        "backbone": bank.header.backbone,
        "bank": trial.bank,
        **({} if naming is None else {"captions_naming_class": f"{naming:.6f}"}),
        **{name: str(value) for name, value in place.items()},
    }


def parameters_of(planned: PlannedTrial) -> dict[str, str]:
    """Return the parameters of a run, which MLflow's compare page can use as axes."""
    _, place = _placed(planned.trial)
    shown = {"variant": planned.variants[0], **place, **planned.trial.parameters}
    return {name: str(value) for name, value in shown.items()}


def result_tags(result: TrialResult) -> dict[str, str]:
    """Return the exact scores of all units, in as many tags as needed, and the other tags that a report reads."""
    return {
        **{name: text for column, scores in result.scores.items() for name, text in _score_tags(column, scores)},
        "problems": str(result.convergence.problems),
        "unconverged": str(result.convergence.unconverged),
        "device": result.device,
        "stack": str(result.stack),
        "host": result.host,
        **({"facts": json.dumps(dict(result.facts))} if result.facts else {}),
    }


def metrics_of(trial: Trial, result: TrialResult) -> list[tuple[str, float, int]]:
    """Return metrics as (name, rounded value, step). MLflow's compare page plots the first one by default."""
    task: Task = load("task", trial.task)
    once = {metric.name: metric.figure(result.scores) for metric in task.METRICS}
    once |= {"unconverged": result.convergence.unconverged, "seconds": result.seconds}
    steps = {column: scores for column, scores in result.scores.items() if len(scores) <= _STEPS}
    return [
        *((name, round(float(value), 6), 0) for name, value in once.items()),
        *(
            (f"{task.WORDS.unit}_{column}", round(score, 6), step)
            for column, scores in steps.items()
            for step, score in enumerate(scores)
        ),
    ]


def trial_run(
    run_id: str,
    status: str,
    ended: float,
    tags: Mapping[str, str],
    parameters: Mapping[str, str],
    metrics: Mapping[str, float],
) -> TrialRun:
    """Read a trial's run back from the tags, parameters and metrics that the functions above write."""
    name = tags.get("task", FIRST)
    variants, searched = _rows(tags["variants"], tags.get("searched", "{}"))
    task: Task = load("task", name)
    columns = dict.fromkeys(column for metric in task.METRICS for column in metric.columns)
    scores = {column: found for column in columns if (found := _scores(column, tags))}
    places = {"variant", *task.COLUMNS, *task.POOLED, *task.SETTING}
    return TrialRun(
        run_id=run_id,
        key=tags["trial_key"],
        status=sys.intern(status),
        setting=_setting(
            task=name,
            protocol=int(tags["protocol"]),
            dataset=tags["dataset"],
            backbone=tags["backbone"],
            bank=tags["bank"],
            drawn=tuple(zip(task.SETTING, _values(task.SETTING, tags), strict=True)),
        ),
        variants=variants,
        column=_values(task.COLUMNS, tags),
        pooled=_values(task.POOLED, tags),
        method=sys.intern(tags["method"]),
        version=int(tags["version"]),
        parameters=_shared(tuple(each for each in parameters.items() if each[0] not in places)),
        scores=scores or _first().older_scores(tags),
        convergence=Convergence(int(tags.get("problems", 0)), int(tags.get("unconverged", 0))),
        device=sys.intern(tags.get("device", "")),
        error=tags.get("error", ""),
        revision=sys.intern(tags.get("revision", "")),
        commit=sys.intern(tags.get("commit", "")[:10] + ("+" if tags.get("dirty") == "True" else "")),
        captions_naming_class=float(tags["captions_naming_class"]) if "captions_naming_class" in tags else None,
        seconds=metrics.get("seconds"),
        ended=ended,
        searched=searched,
        searches=_searches(tags),
        facts=json.loads(tags.get("facts", "{}")),
    )


# A hundred thousand runs repeat few settings, rows, parameters and scores: equal ones are one object in memory.
_setting = lru_cache(Setting)
_number = lru_cache(4096)(float)


@lru_cache
def _shared(parameters: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(parameters)


@lru_cache
def _rows(text: str, searched: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Read the tags of ``rows_tags``: all rows, and searched rows.

    Older runs join the rows by commas and mark searched ones by their names.
    """
    if text.startswith("["):
        return tuple(json.loads(text)), json.loads(searched)
    names = tuple(text.split(", "))
    return names, {name: name.partition(" (searched ")[0] for name in names if " (searched " in name}


def _searches(tags: Mapping[str, str]) -> dict[str, Searched]:
    """Read the searches of ``rows_tags``; {} for an older run."""
    found = json.loads(tags.get("searches", "{}"))
    return {row: Searched(each["points"], tuple(each["parameters"])) for row, each in found.items()}


def trial_json(planned: PlannedTrial, result: TrialResult) -> str:
    """Return a trial and its result as JSON, for the artifact of its run."""
    return json.dumps({"trial": asdict(planned.trial), "result": result}, default=vars)  # asdict copies each number


def trial_result(text: str) -> TrialResult:
    """Read back the result from ``trial_json``, including its format before there were tasks."""
    content = _tuples(json.loads(text)["result"])
    if "scores" not in content:
        content = _first().older_result(content)
    parts = {
        "confusions": tuple(Confusion(**each) for each in content["confusions"]),
        "convergence": Convergence(**content["convergence"]),
        "explained": content["explained"] and ExplainedClip(**content["explained"]),
        "tradeoffs": tuple(Tradeoff(**each) for each in content.get("tradeoffs", ())),
        "samples": (found := content.get("samples")) and Samples(**found),
    }
    return TrialResult(**{**content, **parts})


def _first() -> Any:
    """Return the task of runs that were recorded before there were tasks. It reads their older format."""
    return load("task", FIRST)


def _placed(trial: Trial) -> tuple[Task, Mapping[str, Value]]:
    task: Task = load("task", trial.task)
    return task, task.place(trial.cell)


def _values(coordinates: Mapping[str, Coordinate], tags: Mapping[str, str]) -> tuple[Value, ...]:
    return tuple(each.kind(tags[name]) if name in tags else each.default for name, each in coordinates.items())


def _score_tags(column: str, scores: tuple[float, ...]) -> Iterator[tuple[str, str]]:
    """Yield names and texts, of at most ``TAG_LIMIT`` characters, of the tags ``scores.NAME``, ``scores.NAME.1`` ..."""
    texts = [repr(score).removesuffix(".0") for score in scores]
    part: list[str] = []
    length = number = 0
    for text in texts:
        if length + len(text) + 1 > TAG_LIMIT:
            yield _score_tag(column, number), " ".join(part)
            part, length, number = [], 0, number + 1
        part.append(text)
        length += len(text) + 1
    yield _score_tag(column, number), " ".join(part)


def _score_tag(column: str, number: int) -> str:
    return f"scores.{column}.{number}" if number else f"scores.{column}"


def _scores(column: str, tags: Mapping[str, str]) -> tuple[float, ...]:
    """Read the scores of a run in one column, one number per unit."""
    texts = itertools.takewhile(bool, (tags.get(_score_tag(column, number)) for number in itertools.count()))
    return tuple(_number(score) for text in texts for score in str(text).split())


def _tuples(value: Any) -> Any:
    """Convert JSON's lists back to tuples, recursively."""
    if isinstance(value, dict):
        return {name: _tuples(each) for name, each in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

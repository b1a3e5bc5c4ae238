"""Few-shot sweeps, trials and recorded runs, each by the fields that tests change."""

from dataclasses import fields, replace
from typing import Any

from mgcl.records import Fold, Setting, Trial, TrialRun
from mgcl.search.questions import Search
from mgcl.sweep import Sweep
from mgcl.tasks import few_shot

_DRAWS = {each.name for each in fields(few_shot.Draws)}
_CELL = {each.name for each in fields(few_shot.Cell)}


def sweep(name: str, variants: tuple[str, ...], **fields_: Any) -> Sweep:
    """A sweep; fields of ``Draws`` stand beside its own."""
    drawn = {each: value for each, value in fields_.items() if each in _DRAWS}
    own = {each: value for each, value in fields_.items() if each not in _DRAWS}
    return Sweep(name, few_shot.Draws(**drawn), variants, **own)


def search(name: str, **fields_: Any) -> Search:
    """A search; fields of ``Draws`` stand beside its own."""
    default = {"ways": (5,), "shots": (5,), "queries": 15, "episodes": 10}
    values = default | fields_
    drawn = {each: value for each, value in values.items() if each in _DRAWS}
    own = {each: value for each, value in values.items() if each not in _DRAWS}
    return Search(name, few_shot.Draws(**drawn), **own)


def changed_sweep(asked: Any, **changes: Any) -> Any:
    """A sweep or search with other fields, those of its ``Draws`` among them."""
    drawn = {each: value for each, value in changes.items() if each in _DRAWS}
    own = {each: value for each, value in changes.items() if each not in _DRAWS}
    return replace(asked, draws=replace(asked.draws, **drawn), **own)


def trial(**given: Any) -> Trial:
    """A trial; fields of ``Cell`` stand beside its own."""
    default = {
        "fold": Fold("all", 0, ("a",)),
        "way": 5,
        "shot": 1,
        "queries": 15,
        "episodes": 20,
        "seed": 0,
        "split": "clip",
        "bank": "bank",
        "dataset": "d",
        "protocol": 1,
        "method": "mgcl",
        "version": 1,
        "parameters": {},
    }
    values = default | given
    cell = few_shot.Cell(**{each: values.pop(each) for each in _CELL})
    return Trial(task="few_shot", cell=cell, **values)


def changed_trial(asked: Trial, **changes: Any) -> Trial:
    """A trial with other fields, those of its cell among them."""
    cell = {each: value for each, value in changes.items() if each in _CELL}
    own = {each: value for each, value in changes.items() if each not in _CELL}
    return replace(asked, cell=replace(asked.cell, **cell), **own)


def setting(**given: Any) -> Setting:
    """What a table is of."""
    default = {
        "dataset": "esc10",
        "backbone": "clap",
        "bank": "b" * 64,
        "folds": "all 10",
        "split": "clip",
        "queries": 15,
        "episodes": 3,
        "protocol": 1,
    }
    values = default | given
    drawn = tuple((name, values.pop(name)) for name in few_shot.SETTING)
    return Setting(task="few_shot", drawn=drawn, **values)


def changed_setting(asked: Setting, **changes: Any) -> Setting:
    """A setting with other fields, those that were drawn among them."""
    drawn = tuple((name, changes.pop(name, value)) for name, value in asked.drawn)
    return replace(asked, drawn=drawn, **changes)


def changed_run(run: TrialRun, **changes: Any) -> TrialRun:
    """A recorded run with another way, shot, fold, seed, accuracies, or field of its own."""
    way, shot = (changes.pop(name, value) for name, value in zip(("way", "shot"), run.column, strict=True))
    fold, seed = (changes.pop(name, value) for name, value in zip(("fold", "seed"), run.pooled, strict=True))
    if "accuracies" in changes:
        accuracies = changes.pop("accuracies")
        changes["scores"] = {"accuracy": accuracies} if accuracies else {}
    return replace(run, **{"column": (way, shot), "pooled": (fold, seed), **changes})

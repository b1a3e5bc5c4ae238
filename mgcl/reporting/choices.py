"""Open choices of the paper, and the values that the runs of a report used for them."""

from collections.abc import Iterable, Sequence

from mgcl.catalogue import load
from mgcl.records import TrialRun
from mgcl.reporting.blocks import Block, plain
from mgcl.tasks import Task


def blocks(runs: Sequence[TrialRun], reference: str) -> list[Block]:
    """List the open choices, one line per choice, with the values of the reference row; then seeds and versions.

    Args:
        runs: all runs of a report.
        reference: name of the reference row.
    """
    own = [run for run in runs if reference in run.variants]
    rows = [
        (name, coordinate.about, _every(dict(run.setting.drawn)[name] for run in runs if run.setting.task == task))
        for task in dict.fromkeys(run.setting.task for run in runs)
        for name, coordinate in load("task", task).SETTING.items()
    ]
    rows += [
        (name, what, _every(run.parameters[name] for run in own if name in run.parameters))
        for method in dict.fromkeys(run.method for run in own)
        for name, what in getattr(load("method", method), "OPEN_CHOICES", {}).items()
    ]
    taken = plain("choice", ["what it is", "taken"], ((name, (about, each)) for name, about, each in rows if each))
    words = [
        f"Values of the row {reference}; the others differ in what they are named after." if own else "",
        f"{_pooled(runs)}Versions of the methods: {_every(f'{run.method} {run.version}' for run in runs)}. "
        f"Banks: {_every(map(_bank, runs))}. Commits: {_every(run.commit for run in runs) or 'not known'}.",
    ]
    return [taken, *filter(None, words)]


def _pooled(runs: Sequence[TrialRun]) -> str:
    """Sentences on what is pooled within blocks, with its values: "Seeds: 0, 1. "."""
    task: Task = load("task", runs[0].setting.task)
    sentences = [
        f"{name.capitalize()}s: {_every(run.pooled[index] for run in runs)}. "
        for index, name in enumerate(task.POOLED)
        if index
    ]
    return "".join(sentences)


def _bank(run: TrialRun) -> str:
    data = " ".join(filter(None, (run.setting.dataset, run.revision)))
    return f"{run.setting.bank} ({data}, {run.setting.backbone})"


def _every(values: Iterable[object]) -> str:
    return ", ".join(map(str, sorted({*values} - {""}, key=str)))

"""Report of a search as a markdown page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mgcl.catalogue import load
from mgcl.records import Value
from mgcl.search.questions import Question
from mgcl.sweep.chosen import Choice
from mgcl.tasks import Task


@dataclass(frozen=True)
class Finding:
    """Result of one study."""

    question: Question
    choice: Choice
    default: float | None
    """Figure of the variant's own values on the same validation draws; None: that point is not complete."""
    stopped: int
    failed: int
    importances: Mapping[str, float]
    pictures: Sequence[Path]


def page(name: str, findings: Sequence[Finding], tests: Mapping[Path, str]) -> str:
    """Render the report as markdown.

    Args:
        name: name of the search.
        findings: results, one per study.
        tests: path of a file of the best values -> command that tests them; one per bank.
    """
    question = findings[0].question
    trials, batches = question.batches[0], question.batches
    task: Task = load("task", trials[0].task)
    places = [task.place(trial.cell) for trial in trials]
    columns = dict.fromkeys(task.column_name([place[name] for name in task.COLUMNS]) for place in places)
    where = ", ".join(columns)
    banks = " and ".join(dict.fromkeys(f"{trial.dataset}, bank {trial.bank[:16]}" for trial in trials))
    headings = "; ".join(dict.fromkeys(map(task.heading, places)))
    units, metric = task.WORDS.unit, question.metric.name
    parts = [
        f"# {name}",
        f"{banks}, {where}: a point is judged on {len(batches)} batches of "
        f"validation {units}s ({headings}), sampler {question.sampler}, seed {question.seed}. {task.WORDS.validation}",
        f"The validation {metric} of the best of many points is too good: it was chosen by it. What counts is the "
        f"test, of the row's own and of the searched values, on the same {units}s:\n\n"
        + "\n".join(f"    {test}" for test in tests.values()),
        "## Best values",
        _table([_values(each) for each in findings]),
        "## Importance",
        _table([{"study": each.question.place, **_percent(each.importances)} for each in findings if each.importances])
        or "Too few complete points to say.",
        f"Share of the variance of the validation {metric} that a parameter explains over the searched space (fANOVA).",
        *(_pictures(each) for each in findings),
        f"The values are in {' and '.join(f'`{file.name}`' for file in tests)}.",
    ]
    return "\n\n".join(parts) + "\n"


def _values(finding: Finding) -> dict[str, str]:
    choice = finding.choice
    metric = finding.question.metric
    default = "" if finding.default is None else metric.text(finding.default)
    early = f" ({finding.stopped} stopped early, {finding.failed} failed)"
    stopped = early if finding.stopped or finding.failed else ""
    return {
        "study": finding.question.place,
        "points": f"{choice.points}{stopped}",
        "validation, own values": default,
        "validation, best point": metric.text(choice.validation),
        **{name: _short(value) for name, value in choice.values.items()},
    }


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _percent(shares: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{100 * share:.0f} %" for name, share in shares.items()}


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    return pd.DataFrame(rows).fillna("").to_markdown(index=False, disable_numparse=True) if rows else ""


def _pictures(finding: Finding) -> str:
    drawn = "\n".join(f"![{file.stem}]({file.name})" for file in finding.pictures)
    return f"## {finding.question.place}\n\n{drawn}"

"""The pictures of a table: which there are, what they need, and all of them drawn, tables side by side."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from joblib import Parallel, cpu_count, delayed
from matplotlib import style

from mgcl.records import TrialResult, TrialRun
from mgcl.reporting.accuracy_figures import against_explanations, against_shots, forest
from mgcl.reporting.class_figures import confusion, gain
from mgcl.reporting.drawing import STYLE
from mgcl.reporting.figure import Figure
from mgcl.reporting.tables import Column, Table
from mgcl.reporting.transport_figure import Material, has_plans, transport

_Results = Mapping[tuple[int, int], TrialResult]  # by fold and seed


def needed(tables: Iterable[Table]) -> tuple[TrialRun, ...]:
    """The runs whose whole results ``draw`` looks at: few, so that a report does not open every artifact."""
    return tuple(run for table in tables for row in ("full", "zero-shot") for run in _finished(table, row))


def draw(
    tables: Sequence[Table], results: Mapping[str, TrialResult], material: Mapping[str, Material] | None = None
) -> tuple[Figure, ...]:
    """Every picture that there is the data for; the same runs give the same bytes.

    Args:
        tables: of a report, in its order.
        results: trial key -> what ``needed`` asks for, as far as it is there.
        material: bank digest -> sentences and sounds, as far as they are at hand.

    Returns:
        Names are unique: those of several tables begin with ``table-1-``, ``table-2-`` ...

    Raises:
        DataError: the sound of the clip that is shown cannot be decoded.
    """
    of_each = Parallel(n_jobs=min(len(tables), cpu_count()) or 1)(
        delayed(_drawn)(
            table,
            {run.key: results[run.key] for run in needed([table]) if run.key in results},
            (material or {}).get(table.setting.bank, Material()),
        )
        for table in tables
    )
    if len(tables) < 2:
        return tuple(chain(*of_each))
    return tuple(
        Figure(f"table-{number}-{figure.name}", f"Table {number}. {figure.caption}", figure.svg, figure.png)
        for number, figures in enumerate(of_each, start=1)
        for figure in figures
    )


def _drawn(table: Table, results: Mapping[str, TrialResult], material: Material) -> tuple[Figure, ...]:
    with style.context(["default", STYLE]):
        return tuple(_figures(table, results, material))


def _figures(table: Table, results: Mapping[str, TrialResult], material: Material) -> Iterator[Figure]:
    yield from filter(None, (against_shots(table), against_explanations(table), forest(table)))
    full, zero_shot = (
        {(run.fold, run.seed): results[run.key] for run in _finished(table, row) if run.key in results}
        for row in ("full", "zero-shot")
    )
    if full:
        way, shot = _column(table)
        yield from _of_results(f"{way}-way {shot}-shot", full, zero_shot, material)


def _of_results(where: str, full: _Results, zero_shot: _Results, material: Material) -> Iterator[Figure]:
    for fold in sorted({fold for fold, _ in full}):
        episodes = [episode for place, result in full.items() if place[0] == fold for episode in result.episodes]
        yield confusion(f"confusion-fold-{fold}", f"full, {where}, fold {fold}", episodes)
    if both := [place for place in full if place in zero_shot]:
        yield gain(where, *([episode for place in both for episode in of[place].episodes] for of in (full, zero_shot)))
    clips = {place: result.explained for place, result in full.items() if has_plans(result.explained)}
    if clips:
        # One that was answered wrongly has two plans to show
        fold, seed = max(clips, key=lambda place: clips[place].label != clips[place].predicted)
        yield transport(f"full, {where}, fold {fold}, seed {seed}", clips[fold, seed], material)


def _column(table: Table) -> Column:
    """The largest way and shot that ``full`` finished, or (0, 0)."""
    finished = [column for (row, column), entry in table.entries.items() if row == "full" and entry.estimate]
    return max(finished, default=(0, 0))


def _finished(table: Table, row: str) -> list[TrialRun]:
    """Of the row, where ``full`` has its largest way and shot; folds and seeds in order."""
    entry = table.entries.get((row, _column(table)))
    runs = [run for run in entry.runs if run.status == "FINISHED"] if entry else []
    return sorted(runs, key=lambda run: (run.fold, run.seed))

"""All pictures of a report's tables: the results that they need, and drawing them, several tables in parallel."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from joblib import Parallel, cpu_count, delayed
from matplotlib import style

from mgcl.details import Tradeoff
from mgcl.records import TrialResult, TrialRun, Value
from mgcl.reporting.accuracy_figures import against_columns, against_series, forest
from mgcl.reporting.class_figures import confusion, gain
from mgcl.reporting.drawing import STYLE
from mgcl.reporting.figure import Figure
from mgcl.reporting.outline import Outline
from mgcl.reporting.tables import Column, Table
from mgcl.reporting.transport_figure import Material, has_plans, transport
from mgcl.reporting.trial_figures import kinds, samples, tradeoff

_Results = Mapping[tuple[Value, ...], TrialResult]
"""Values of the task's ``POOLED`` (few-shot: fold and seed) -> result of that trial."""


def needed(tables: Iterable[Table], outline: Outline) -> tuple[TrialRun, ...]:
    """Runs whose complete results ``draw`` reads; only a few, so that a report does not open every artifact."""
    return tuple(
        run
        for table in tables
        if table.ranked
        for row in (outline.reference, *outline.baselines[:1])
        for run in _finished(table, row, outline)
    )


def draw(
    tables: Sequence[Table],
    results: Mapping[str, TrialResult],
    outline: Outline,
    material: Mapping[str, Material] | None = None,
) -> tuple[Figure, ...]:
    """Draw every picture that the results allow; the same runs give the same bytes.

    Args:
        tables: all tables of a report, in its order.
        results: trial key -> result, of the runs that ``needed`` names; pictures of missing results are left out.
        outline: which rows are compared.
        material: bank digest -> sentences and sounds, if available.

    Returns:
        Pictures with unique names; with several tables the names begin with ``table-1-``, ``table-2-`` ...

    Raises:
        DataError: the audio of the clip that is shown cannot be decoded.
    """
    of_each = Parallel(n_jobs=min(len(tables), cpu_count()) or 1)(
        delayed(_drawn)(
            table,
            {run.key: results[run.key] for run in needed([table], outline) if run.key in results},
            outline,
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


def _drawn(
    table: Table, results: Mapping[str, TrialResult], outline: Outline, material: Material
) -> tuple[Figure, ...]:
    with style.context(["default", STYLE]):
        return tuple(_figures(table, results, outline, material))


def _figures(
    table: Table, results: Mapping[str, TrialResult], outline: Outline, material: Material
) -> Iterator[Figure]:
    series = (against_series(table, each) for each in outline.series)
    yield from filter(None, (against_columns(table, outline), *series, forest(table, outline.reference)))
    rows = (outline.reference, *outline.baselines[:1])
    found = [
        {run.pooled: results[run.key] for run in _finished(table, row, outline) if run.key in results} for row in rows
    ]
    if found[0]:
        yield from _of_results(table, outline, found, material)


def _of_results(table: Table, outline: Outline, found: Sequence[_Results], material: Material) -> Iterator[Figure]:
    reference, *other = found
    where, words, row = table.name_of(_column(table, outline) or ()), table.task.WORDS, outline.reference
    confused = {place: result.confusions for place, result in reference.items() if result.confusions}
    alike = defaultdict[frozenset[str], list[tuple[Value, ...]]](list)
    for block in sorted({place[:1] for place in confused}):
        held = (unit.classes for place, each in confused.items() if place[:1] == block for unit in each)
        alike[frozenset(chain(*held))].append(block)
    for blocks in alike.values():  # blocks of the same classes, e.g. seeds, are one picture
        units = [unit for place, each in confused.items() if place[:1] in blocks for unit in each]
        of_block = [f"{words.block} {value}" for value in blocks[0]] if len(blocks) == 1 else []
        name = "-".join(["confusion", *(each.replace(" ", "-") for each in of_block)])
        yield confusion(name, ", ".join([row, where, *of_block]), units, words.unit)
    if both := [place for place in confused if other and place in other[0]]:
        after, before = ([unit for place in both for unit in of[place].confusions] for of in found)
        yield gain(where, (row, outline.baselines[0]), after, before, words.unit)
        if all(each.kinds for each in (*after, *before)):  # trials of older stores do not tell them
            yield kinds(where, {row: after, outline.baselines[0]: before}, words.unit)
    yield from _of_trials(table, ", ".join([row, where]), reference)
    clips = {place: each for place, result in reference.items() if (each := result.explained) and has_plans(each)}
    if clips:
        # A clip that was answered wrongly is preferred: it has two plans to show, of the true and the answered class.
        shown = max(clips, key=lambda place: clips[place].label != clips[place].predicted)
        pooled = [f"{name} {value}" for name, value in zip(table.task.POOLED, shown, strict=True)]
        yield transport(", ".join([row, where, *pooled]), clips[shown], material)


def _of_trials(table: Table, where: str, found: _Results) -> Iterator[Figure]:
    """Pictures of what trials of one row give beside scores."""
    words, blocks = table.task.WORDS, defaultdict[str, list[Tradeoff]](list)
    for place, result in found.items():
        if result.tradeoffs:
            blocks[" ".join(map(str, (words.block, *place[:1]))).strip()].extend(result.tradeoffs)
    if blocks:
        yield tradeoff(where, blocks, words.unit)
    synthetic = ((place, result.samples) for place, result in found.items() if result.samples)
    for place, each in islice(synthetic, 1):
        pooled = [f"{name} {value}" for name, value in zip(table.task.POOLED, place, strict=True)]
        yield samples(", ".join([where, *pooled]), each)


def _column(table: Table, outline: Outline) -> Column | None:
    """Largest column in which the reference row has an estimate."""
    finished = [column for (row, column), entry in table.entries.items() if row == outline.reference and entry.estimate]
    return max(finished, default=None)


def _finished(table: Table, row: str, outline: Outline) -> list[TrialRun]:
    """Finished runs of a row in the column of ``_column``, sorted by block and seed."""
    column = _column(table, outline)
    entry = table.entries.get((row, column)) if column else None
    runs = [run for run in entry.runs if run.status == "FINISHED"] if entry else []
    return sorted(runs, key=lambda run: run.pooled)

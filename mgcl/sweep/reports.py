"""Report of a sweep, made from its runs in MLflow."""

import sys
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path

from mgcl.catalogue import load, names
from mgcl.features import FeatureBank
from mgcl.records import TrialRun
from mgcl.reporting import figures, report, tables
from mgcl.reporting.figure import Figure
from mgcl.reporting.outline import Outline
from mgcl.reporting.ranks import ranking
from mgcl.reporting.ranks_figure import critical_difference
from mgcl.reporting.transport_figure import Material
from mgcl.sweep.aligned import alignment
from mgcl.tracking.parent import comparisons, last_progress
from mgcl.tracking.record import details, recorded_runs
from mgcl.tracking.store import no_sweep


def draw(
    name: str,
    uri: str,
    out: Path,
    *,
    runs: Sequence[TrialRun] | None = None,
    planned: Collection[str] | None = None,
    banks: Sequence[FeatureBank] = (),
    roots: Mapping[str, Path] | None = None,
) -> Path:
    """Write the report ``out/name`` with tables, page and pictures.

    Args:
        name: name of the sweep.
        uri: address of the MLflow store.
        out: folder in which the report's folder, called ``name``, is made.
        runs: recorded runs of the sweep, one per trial key; None: they are read from the store.
        planned: keys of all trials of the sweep; None: those of the latest driver's command.
        banks: feature banks whose sentences the pictures of single clips show.
        roots: bank digest -> folder of its data set, whose audio these pictures show.

    Returns:
        The report's folder.

    Raises:
        TrackingError: the store does not answer, or has no trial of the sweep.
        ReportError: the folder cannot be written.
        DataError: a data set is not under its root.
    """
    if runs is None:
        runs = recorded_runs(name, uri)
    if not runs:
        raise no_sweep(uri, name)
    if planned is None:
        progress = last_progress(name, uri)
        planned = progress.keys if progress else None
    named = comparisons(name, uri)
    outline = Outline(reference=named[0], baselines=named[1:]) if named else Outline()
    material = {bank.digest: _material(bank, (roots or {}).get(bank.digest)) for bank in banks}
    pictures = _pictures(name, uri, tables.build(runs, outline.order), outline, material)
    if not any(each.name.endswith("transport") for each in pictures):  # either shows one clip beside its sentences
        found = (alignment(bank, material[bank.digest].audio) for bank in banks)
        pictures = (*pictures, *islice(filter(None, found), 1))
    return report.write(name, runs, out, outline=outline, figures=pictures, planned=planned)


def _pictures(
    name: str, uri: str, drawn: Sequence[tables.Table], outline: Outline, material: Mapping[str, Material]
) -> tuple[Figure, ...]:
    needed = figures.needed(drawn, outline)
    results = details(needed, uri)
    if lost := [run for run in needed if run.status == "FINISHED" and run.key not in results]:
        print(
            f"{name}: {len(lost)} trials have lost their files, e.g. run {lost[0].run_id}: pictures of single trials "
            "lack them",
            file=sys.stderr,
        )
    over_all = critical_difference(ranking(drawn))
    return (*figures.draw(drawn, results, outline, material), *([over_all] if over_all else []))


def _material(bank: FeatureBank, root: Path | None) -> Material:
    known = [] if bank.lacks(["explanations"]) else bank.classes["explanations"].to_pylist()
    sentences = dict(zip(bank.row_of_class, known, strict=False))
    if root is None:
        return Material(sentences)
    dataset = bank.header.dataset
    sounds = load("dataset", dataset if dataset in names("dataset") else "folder").read(root).files
    # A clip that is a stretch of its file would be shown as the file's beginning
    return Material(sentences, {sound.clip_id: sound.path for sound in sounds if sound.start is None})

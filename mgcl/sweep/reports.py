"""A sweep's report, drawn from what MLflow holds of it."""

import sys
from collections.abc import Collection
from pathlib import Path

from mgcl.catalogue import load, names
from mgcl.features import FeatureBank
from mgcl.reporting import figures, report, tables
from mgcl.reporting.transport_figure import Material
from mgcl.sweep import tracking
from mgcl.sweep.store import no_sweep
from mgcl.sweep.variants import VARIANTS


def draw(
    name: str,
    uri: str,
    out: Path,
    *,
    planned: Collection[str] | None = None,
    bank: FeatureBank | None = None,
    root: Path | None = None,
) -> Path:
    """Write ``out/name`` with tables, page and pictures.

    Args:
        name: of the sweep.
        uri: of the store.
        out: gets a folder of that name.
        planned: keys of all its trials; None: those of its latest driver's command.
        bank: whose sentences the transport picture shows.
        root: of the bank's data set, whose sound it shows.

    Returns:
        The folder.

    Raises:
        TrackingError: the store does not answer, or has no trial of the sweep.
        ReportError: the folder cannot be written.
        DataError: the data set is not under ``root``.
    """
    runs = tracking.recorded_runs(name, uri)
    if not runs:
        raise no_sweep(uri, name)
    if planned is None:
        progress = tracking.last_progress(name, uri)
        planned = progress.keys if progress else None
    drawn = tables.build(runs, tuple(VARIANTS))
    needed = figures.needed(drawn)
    results = tracking.details(needed, uri)
    if lost := [run for run in needed if run.status == "FINISHED" and run.key not in results]:
        print(
            f"{name}: {len(lost)} trials have lost their files, e.g. run {lost[0].run_id}: pictures of single trials "
            "lack them",
            file=sys.stderr,
        )
    material = {bank.digest: _material(bank, root)} if bank else {}
    pictures = figures.draw(drawn, results, material)
    return report.write(name, runs, out, order=tuple(VARIANTS), figures=pictures, planned=planned)


def _material(bank: FeatureBank, root: Path | None) -> Material:
    sentences = dict(zip(bank.classes["label"].to_pylist(), bank.classes["explanations"].to_pylist(), strict=True))
    if root is None:
        return Material(sentences)
    dataset = bank.header.dataset
    sounds = load("dataset", dataset if dataset in names("dataset") else "folder").read(root).files
    return Material(sentences, {sound.clip_id: sound.path for sound in sounds})

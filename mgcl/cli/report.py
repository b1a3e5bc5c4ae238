"""``mgcl report``: a sweep's tables, from MLflow."""

import argparse
from pathlib import Path

from mgcl.cli.commands import Commands
from mgcl.errors import TrackingError


def add(commands: Commands) -> None:
    """Add the command to the parser's."""
    report = commands.add_parser("report", help="draw a sweep's tables from MLflow")
    report.add_argument("name", help="of the sweep, e.g. full_grid")
    report.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    report.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    report.set_defaults(job=_report)


def _report(flags: argparse.Namespace) -> int:
    from mgcl.reporting import report
    from mgcl.sweep import tracking
    from mgcl.sweep.store import default_uri
    from mgcl.sweep.variants import VARIANTS

    uri = flags.tracking_uri or default_uri()
    runs = tracking.recorded_runs(flags.name, uri)
    if not runs:
        raise TrackingError(
            f"{uri}: no trial of a sweep called {flags.name!r} is recorded; run its file in sweeps/ first"
        )
    progress = tracking.last_progress(flags.name, uri)
    planned = progress.keys if progress else None
    folder = report.write(flags.name, runs, flags.out, order=tuple(VARIANTS), planned=planned)
    print(f"{len(runs)} trials: {folder / 'index.html'}, {folder / 'report.md'}, {folder / 'cells.csv'}")
    return 0

"""``mgcl sync``: copy the runs of another MLflow store, e.g. a cluster's, into the user's own."""

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.commands import Commands
from mgcl.errors import TrackingError
from mgcl.masking import without_user

if TYPE_CHECKING:
    from mgcl.tracking.transfer import Source


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    sync = commands.add_parser(
        "sync",
        help="copy runs from another MLflow store, e.g. a cluster's, and draw their report",
        description="Copy the finished and failed trials that are not in your own MLflow store yet, and write each "
        "sweep's report. Stopped, the same command goes on. The exit code is 0 only if everything is synced: "
        "`mgcl sync cluster.yaml && ray down cluster.yaml`.",
    )
    sync.add_argument("source", metavar="SOURCE", help="an MLflow URI, or a Ray cluster's file: *.yaml")
    sync.add_argument("names", nargs="*", metavar="NAME", help="of sweeps (default: all that SOURCE has)")
    sync.add_argument("--check", action="store_true", help="copy nothing; exit code 1 if something is not synced yet")
    sync.add_argument("--tracking-uri", metavar="URI", help="your own MLflow store (default: $MGCL_HOME/mlflow.db)")
    sync.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    sync.set_defaults(job=_sync)


def _sync(flags: argparse.Namespace) -> int:
    from mgcl.cluster.tunnel import mlflow_tunnel
    from mgcl.reporting.report import prepare
    from mgcl.sweep import reports
    from mgcl.tracking.parent import last_progress
    from mgcl.tracking.record import recorded_runs
    from mgcl.tracking.store import default_uri
    from mgcl.tracking.transfer import Source, copy_runs, not_stored

    home_uri = flags.tracking_uri or default_uri()
    is_cluster = Path(flags.source).suffix in {".yaml", ".yml"}
    missing = 0
    with mlflow_tunnel(Path(flags.source)) if is_cluster else nullcontext(flags.source) as uri:
        source = Source(uri, without_user(flags.source))  # the name is stored with runs: no password
        for name in _chosen(source, flags.names):
            if not flags.check:
                prepare(name, flags.out)
                copied = copy_runs(name, source, home_uri)
                written = flags.out / name / "report.md"
                if recorded_runs(name, home_uri):
                    progress = last_progress(name, uri)
                    planned = progress.keys if progress else None
                    reports.draw(name, home_uri, flags.out, planned=planned)
                if copied:
                    print(written.read_text(encoding="utf-8"))
                print(f"{name}: {copied} trials copied, {written}")
            left = len(not_stored(name, source, home_uri))
            print(f"{name}: {left} trials are not synced yet" if left else f"{name}: all trials are synced")
            missing += left
    return 1 if missing else 0


def _chosen(source: "Source", names: list[str]) -> tuple[str, ...]:
    """Names of the sweeps to copy: the given ones, or all that the source has.

    Raises:
        TrackingError: the source lacks a sweep, or has none at all.
    """
    from mgcl.tracking.store import newest_experiment

    known = source.sweeps()
    for name in names:
        if name not in known:
            source.refuse_deleted(name)
    if not known:
        newest_experiment(source.uri)  # raises an error if all sweeps were deleted
        raise TrackingError(f"{source.name}: no sweep is recorded there; name the store that it was recorded in")
    for name in names:
        if name not in known:
            raise TrackingError(f"{source.name}: no sweep called {name!r} is recorded there, only {', '.join(known)}")
    return tuple(dict.fromkeys(names)) or known

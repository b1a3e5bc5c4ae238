"""``mgcl report``: write a sweep's report from its runs in MLflow."""

import argparse
from pathlib import Path

from mgcl.cli.commands import Commands
from mgcl.errors import MgclError

_FILES = ("report.md", "table.tex", "cells.csv", "differences.csv")


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    report = commands.add_parser("report", help="draw a sweep's tables from MLflow")
    report.add_argument("name", help="of the sweep, e.g. full_grid")
    report.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    report.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    report.add_argument(
        "--bank", type=Path, metavar="DIR", help="that it ran on: the picture of a clip shows its sentences"
    )
    report.add_argument("--root", type=Path, metavar="DIR", help="of that bank's data set: the picture shows its sound")
    report.set_defaults(job=_report)


def _report(flags: argparse.Namespace) -> int:
    from mgcl.features import FeatureBank
    from mgcl.sweep import reports
    from mgcl.tracking.store import default_uri

    if flags.root and not flags.bank:
        raise MgclError("--root: name the bank of that data set too, with --bank")
    bank = FeatureBank.open(flags.bank) if flags.bank else None
    folder = reports.draw(
        flags.name,
        flags.tracking_uri or default_uri(),
        flags.out,
        banks=[bank] if bank else (),
        roots={bank.digest: flags.root} if bank and flags.root else {},
    )
    print(f"report: {folder / 'index.html'}, and beside it {', '.join(_FILES)}")
    return 0

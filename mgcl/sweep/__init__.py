"""Sweeps: planning, running and recording of trials. A sweep file needs only ``Sweep`` and ``main``."""

from collections.abc import Sequence
from typing import NoReturn

from mgcl.sweep.grid import Sweep

__all__ = ["Sweep", "main"]


def main(sweep: Sweep, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run the sweep, and exit with 0, 1 if a trial failed, 2 on bad input, or 130 after Ctrl-C."""
    from mgcl.sweep.command import main as run  # workers, which import this package, need no command line

    run(sweep, arguments)

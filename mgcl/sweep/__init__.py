"""Sweeps: planning, running and recording of trials. A sweep file needs only ``Sweep``, and ``main`` or ``main_of``."""

from collections.abc import Sequence
from typing import NoReturn

from mgcl.sweep.grid import Sweep

__all__ = ["Sweep", "main", "main_of"]

# Workers import this package, and need no command line: it is imported where it is called.


def main(sweep: Sweep, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run the sweep, and exit with 0, 1 if a trial failed, 2 on bad input, or 130 after Ctrl-C."""
    from mgcl.sweep.command import main as run

    run(sweep, arguments)


def main_of(sweeps: Sequence[Sweep], arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run sweeps of different tasks one after another, and exit with the largest code of ``main``."""
    from mgcl.sweep.several import main_of as run

    run(sweeps, arguments)

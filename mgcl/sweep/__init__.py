"""Sweeps: planning, running and recording of trials. A sweep file needs only ``Sweep``, and ``main`` or ``main_of``."""

from mgcl.sweep.command import main
from mgcl.sweep.grid import Sweep
from mgcl.sweep.several import main_of

__all__ = ["Sweep", "main", "main_of"]

"""Sweeps: planning, running and recording of trials. A sweep file needs only ``Sweep`` and ``main``."""

from mgcl.sweep.command import main
from mgcl.sweep.grid import Sweep

__all__ = ["Sweep", "main"]

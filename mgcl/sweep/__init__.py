"""Sweeps: which trials, on which machines, recorded where. ``Sweep`` and ``main`` are what a sweep file needs."""

from mgcl.sweep.command import main
from mgcl.sweep.grid import Sweep

__all__ = ["Sweep", "main"]

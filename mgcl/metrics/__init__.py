"""Metrics of rankings and of sound events, as functions of numpy arrays."""

"""Extraction of feature banks: the only package that runs a backbone over a data set."""

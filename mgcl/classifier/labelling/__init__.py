"""Labelling of an index's windows by a person, with a model that is fitted again as labels come in."""

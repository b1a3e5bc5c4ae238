"""Feature banks: a backbone's outputs for one data set, on disk."""

from mgcl.features.bank import FeatureBank

__all__ = ["FeatureBank"]

"""Classifier of a user's own sounds: fit, predict, explain. Its estimator is ``mgcl.FewShotClassifier``."""

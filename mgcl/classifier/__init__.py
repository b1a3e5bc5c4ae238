"""A user's own sounds: fit, predict, explain. The estimator is ``mgcl.FewShotClassifier``."""

"""Methods on frozen features: ``method`` is the protocol, ``variants`` the rows of tables; one folder per kind."""

DEFAULT_METHOD = "multi_grained_kernel"
"""Method of a classifier of a user's own sounds, unless another is named: the best on development classes.

docs/classifier.md has the comparison.
"""

WITHOUT_TEXT = "logistic_regression"
"""Method of ``mgcl fit`` on a backbone without a text side: the linear probe, whose strength is not tuned."""

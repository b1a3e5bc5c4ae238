"""Few-shot sound recognition by multi-grained correspondence learning on a frozen audio-language model."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mgcl.classifier.estimator import FewShotClassifier

__version__ = "0.1.0"
__all__ = ["FewShotClassifier", "__version__"]


def __getattr__(name: str) -> object:
    """Import the classifier on first access only, because it loads torch, which planning and reports do not need."""
    if name != "FewShotClassifier":
        raise AttributeError(f"module 'mgcl' has no attribute {name!r}")
    from mgcl.classifier.estimator import FewShotClassifier

    return FewShotClassifier

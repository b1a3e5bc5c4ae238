"""Few-shot sound recognition by multi-grained correspondence learning on a frozen audio-language model."""

from importlib.metadata import version

__version__ = version("mgcl")

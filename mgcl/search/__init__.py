"""Search for a method's parameters, validated on classes that no test episode contains."""

from mgcl.search.command import main
from mgcl.search.questions import Search

__all__ = ["Search", "main"]

"""Search of a method's parameters, on classes that no test episode holds."""

from mgcl.search.command import main
from mgcl.search.questions import Search

__all__ = ["Search", "main"]

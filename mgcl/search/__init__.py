"""Search for a method's parameters, validated on classes that no test episode contains."""

from collections.abc import Sequence
from typing import NoReturn

from mgcl.search.questions import Search

__all__ = ["Search", "main"]


def main(*searches: Search, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run a search, and exit with 0, 1 if a point failed, 2 on bad input, or 130 after Ctrl-C.

    Args:
        searches: searches of different tasks, of which ``--task`` chooses; the first is the default.
        arguments: words of the command line; None: those of the process.
    """
    from mgcl.search.command import main as run  # workers, which import this package, need no command line

    run(*searches, arguments=arguments)

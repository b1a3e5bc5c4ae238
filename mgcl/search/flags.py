"""The flag ``--points``, formerly ``--trials``: a search has points, each of which consists of many trials."""

import argparse
import sys
from typing import Any


def add_points_flag(parser: argparse._ActionsContainer, **options: Any) -> None:
    """Add ``--points``; the former ``--trials`` still works, and prints a line with the present name."""
    parser.add_argument(
        "--trials", dest="points", action=_Older, type=options.get("type", str), default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )  # fmt: skip
    parser.add_argument("--points", metavar="N", **options)


class _Older(argparse.Action):
    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, name: Any = None) -> None:  # noqa: ARG002
        """Store the value as ``--points`` does, and print the present name of the flag."""
        print("--trials is called --points now: a search has points", file=sys.stderr)
        setattr(namespace, self.dest, values)

"""The flag ``--points``, which was called ``--trials`` before: a search has points, and each is many trials."""

import argparse
import sys
from typing import Any


def add_points_flag(parser: argparse._ActionsContainer, **options: Any) -> None:
    """Add ``--points``; ``--trials`` is still taken, and a line says what it is called now."""
    parser.add_argument(
        "--trials", dest="points", action=_Older, type=options.get("type", str), default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )  # fmt: skip
    parser.add_argument("--points", metavar="N", **options)


class _Older(argparse.Action):
    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, name: Any = None) -> None:  # noqa: ARG002
        """Take the value as ``--points`` does."""
        print("--trials is called --points now: a search has points", file=sys.stderr)
        setattr(namespace, self.dest, values)

"""``mgcl weights``: list backbones' published weights, or download them."""

import argparse
from typing import TYPE_CHECKING

from mgcl.catalogue import load, names
from mgcl.cli.commands import Commands
from mgcl.errors import BackboneError, MgclError

if TYPE_CHECKING:
    from mgcl.published_weights import Published


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    weights = commands.add_parser("weights", help="fetch a backbone's weights, or list them")
    kinds = weights.add_subparsers(required=True, metavar="COMMAND")

    fetch = kinds.add_parser(
        "fetch",
        help="download a backbone's weights from their publisher",
        description="Download and check weights, and keep them in the folder weights of $MGCL_HOME. Stopped, it is "
        "resumed where it was.",
    )
    fetch.add_argument("name", metavar="NAME", help="a backbone that `mgcl weights list` lists, e.g. efficientat")
    fetch.set_defaults(job=_fetch)

    listed = kinds.add_parser("list", help="whose weights there are, their size and licence, and whether they are here")
    listed.set_defaults(job=_list)


def _fetch(flags: argparse.Namespace) -> int:
    from mgcl.published_weights import copy_of, fetch, size_of

    failed = []
    for weights in _published(flags.name):
        if copy := copy_of(flags.name, weights):
            print(f"{weights.name}: is here already, at {copy}")
            continue
        try:
            print(f"{weights.name}: {_megabytes(size_of(weights))}; {weights.licence}", flush=True)
            print(f"{weights.name}: fetched and checked, at {fetch(flags.name, weights)}", flush=True)
        except MgclError as error:
            failed.append(str(error))
    if failed:  # all of them, so that one visit to where there is a network is enough
        raise BackboneError("\nerror: ".join(failed))
    return 0


def _list(_flags: argparse.Namespace) -> int:
    import pandas as pd

    from mgcl.backbones._weights import chosen
    from mgcl.published_weights import copy_of

    rows = [
        [
            backbone,
            weights.name,
            _megabytes(weights.bytes) if weights.bytes else "shown by fetch",
            weights.licence,
            copy_of(backbone, weights) or f"not here: mgcl weights fetch {backbone}",
        ]
        for backbone in _with_weights()
        for weights in _published(backbone)
    ]
    print(pd.DataFrame(rows, columns=["backbone", "weights", "size", "licence", "where"]).to_markdown(index=False))
    for backbone in names("backbone"):
        if named := chosen(backbone, None, ""):
            print(f"{backbone} takes {named} unless `--weights` is given: $MGCL_{backbone.upper()}_WEIGHTS names it")
    return 0


def _with_weights() -> list[str]:
    return [name for name in names("backbone") if hasattr(load("backbone", name), "PUBLISHED")]


def _published(backbone: str) -> "tuple[Published, ...]":
    if backbone not in names("backbone") or not hasattr(load("backbone", backbone), "PUBLISHED"):
        known = ", ".join(_with_weights())
        named = "takes whatever model `--weights OWNER/NAME@COMMIT` names" if backbone != "tiny" else "comes with mgcl"
        why = named if backbone in names("backbone") else "is no backbone"
        raise BackboneError(f"{backbone}: {why}; those whose weights are fetched: {known}")
    found: tuple[Published, ...] = load("backbone", backbone).PUBLISHED
    return found


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"

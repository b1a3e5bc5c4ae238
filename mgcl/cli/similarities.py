"""``mgcl similarities``: list or remove the similarities stored on this machine."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.commands import Commands
from mgcl.errors import MgclError
from mgcl.home import home, similarity_limit

if TYPE_CHECKING:
    from mgcl.transport.tiles import StoredSimilarity


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    similarities = commands.add_parser(
        "similarities", help="the similarities stored on this machine, $MGCL_HOME/similarity"
    )
    verbs = similarities.add_subparsers(required=True, metavar="COMMAND")
    ls = verbs.add_parser("ls", help="list them, the least recently opened first")
    ls.set_defaults(job=_ls)
    rm = verbs.add_parser("rm", help="remove some; they are computed again when needed")
    rm.add_argument("names", nargs="*", metavar="NAME", help="a store or a bank: 8 or more of its digits")
    rm.add_argument("--all", action="store_true", help="every store of this machine")
    rm.set_defaults(job=_rm)
    former = commands.add_parser("cache")
    former.add_argument("words", nargs="*")
    former.add_argument("--all", action="store_true")
    former.set_defaults(job=_renamed)


def _renamed(flags: argparse.Namespace) -> int:
    words = " ".join(["mgcl similarities", *flags.words, *(["--all"] if flags.all else [])])
    raise MgclError(f"`mgcl cache` is now `{words}`: a cache is the method's alone")


def _ls(_flags: argparse.Namespace) -> int:
    root, stores = _stores()
    for store in stores:
        about = store.about
        solver = f"epsilon {about['epsilon']}, tolerance {about['tolerance']}" if "epsilon" in about else ""
        opened = f"{datetime.fromtimestamp(store.opened):%Y-%m-%d %H:%M}" if store.tiles else "-"
        print(
            f"{store.path.name}  bank {str(about['bank'])[:16]}  {about['kind']:10}  {solver:32}  {about['device']:4}  "
            f"{store.tiles:5} tiles  {store.size / 1e6:8.1f} MB  opened {opened}"
        )
    size = sum(store.size for store in stores)
    print(f"{root}: {len(stores)} stores, {size / 1e9:.2f} of {similarity_limit() / 1e9:g} GB")
    return 0


def _rm(flags: argparse.Namespace) -> int:
    from mgcl.transport.tiles import remove

    root, stores = _stores()
    if flags.all == bool(flags.names):
        raise MgclError("name stores or banks as `mgcl similarities ls` shows them, 8 digits or more, or say --all")
    for name in flags.names:
        if not any(_answers_to(store, name) for store in stores):
            raise MgclError(
                f"{root}: no store and no bank begins with {name!r} (8 digits or more); `mgcl similarities ls` lists "
                "them"
            )
    chosen = [store for store in stores if flags.all or any(_answers_to(store, name) for name in flags.names)]
    for store in chosen:
        remove(store)
    print(f"{root}: removed {len(chosen)} stores, {sum(store.size for store in chosen) / 1e6:.1f} MB")
    return 0


def _stores() -> tuple[Path, "list[StoredSimilarity]"]:
    from mgcl.transport.tiles import machine_root, stores

    root = machine_root(home())
    return root, stores(root)


def _answers_to(store: "StoredSimilarity", name: str) -> bool:
    return len(name) >= 8 and any(each.startswith(name) for each in (store.path.name, str(store.about["bank"])))

"""The flags that sweeps and searches share, and what they come down to."""

import argparse
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mgcl.data.splits import PROTOCOLS
from mgcl.errors import SweepError
from mgcl.extraction.embedded import embedded_bank
from mgcl.features import FeatureBank
from mgcl.features.copies import nearby
from mgcl.home import home
from mgcl.machines import Machines

_Asked = TypeVar("_Asked")


def add_episode_flags(group: Any, defaults: Any) -> None:
    """What episodes are drawn from, and how; a flag's default is the field of its name."""
    group.add_argument(
        "--bank",
        metavar="DIR",
        default=defaults.bank,
        help="feature bank (None: generated soundscapes, heard by the tiny backbone)",
    )
    group.add_argument("--ways", type=int, nargs="+", metavar="N", default=defaults.ways, help="classes an episode")
    group.add_argument(
        "--shots", type=int, nargs="+", metavar="K", default=defaults.shots, help="support clips a class"
    )
    group.add_argument("--queries", type=int, metavar="Q", default=defaults.queries, help="query clips a class")
    group.add_argument("--split", default=defaults.split, help="clip, or source: no recording on both sides")
    group.add_argument("--folds", type=int, metavar="N", default=defaults.folds, help="seeded class subsets to draw")
    group.add_argument(
        "--fold-classes", type=int, metavar="M", default=defaults.fold_classes, help="classes in each of them"
    )
    group.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="treff: the published class subsets; mgcl: five seeded ones of 15 classes, for FSDKaggle18's 12-way",
    )
    group.add_argument(
        "--audio-only",
        action="store_true",
        default=defaults.audio_only,
        help="of a bank without captions, run all the same",
    )


def add_machine_flags(group: Any) -> None:
    """Where trials run, and where what they find is kept."""
    group.add_argument("--workers", type=int, metavar="W", help="trials at once (default: every CPU)")
    group.add_argument(
        "--gpus-per-trial",
        type=float,
        metavar="G",
        help="share of a GPU, fractions allowed (default: 1, or 0 where there is none)",
    )
    group.add_argument("--address", help="a running Ray cluster: auto or host:port (default: start one here)")
    group.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    group.add_argument("--out", metavar="DIR", default="reports", help="where the report's folder goes")


def machines(flags: argparse.Namespace) -> Machines:
    """That the flags ask for."""
    return Machines(flags.address, flags.workers, flags.gpus_per_trial)


def repeated(flags: argparse.Namespace, defaults: Any, *, but: Collection[str] = ()) -> list[str]:
    """The shared flags that say something else than a default, for a command that goes on from this one.

    An address with a password is left out: it is not to be printed.

    Args:
        flags: as they were given.
        defaults: has a field for each episode flag, as ``add_episode_flags`` takes it.
        but: flags that the other command does without, as attributes.
    """
    parser = argparse.ArgumentParser()
    add_episode_flags(parser, defaults)
    add_machine_flags(parser)
    words: list[str] = []
    for name, default in vars(parser.parse_args([])).items():
        value = getattr(flags, name)
        values = value if isinstance(value, list | tuple) else [value]
        if value == default or name in but or (name == "tracking_uri" and urlsplit(value).password):
            continue
        words += [f"--{name.replace('_', '-')}", *(str(each) for each in values if each is not True)]
    return words


def override(asked: _Asked, flags: argparse.Namespace) -> _Asked:
    """A sweep or search with the flags' values; every field has a flag but those that have none.

    Raises:
        SweepError: two flags say which folds.
    """
    chosen: dict[str, Any] = {}
    for each in fields(asked):  # type: ignore[arg-type]
        if hasattr(flags, each.name):
            value = getattr(flags, each.name)
            chosen[each.name] = tuple(value) if isinstance(value, list) else value
    if flags.protocol:
        if flags.folds or flags.fold_classes:
            raise SweepError("--protocol says which folds; leave --folds and --fold-classes out")
        chosen["folds"], chosen["fold_classes"] = PROTOCOLS[flags.protocol]
    return replace(asked, **chosen)  # type: ignore[type-var]


def open_bank(bank: str | None, *, make: bool = True) -> tuple[FeatureBank, str]:
    """The bank asked for, and where it lies as every worker sees it; without one, the embedded default.

    Args:
        bank: a folder, or an address that ``nearby`` takes.
        make: make the embedded bank if it is not there yet.
    """
    if bank:
        print(f"bank:   {bank}", flush=True)
        location = bank if "://" in bank else str(Path(bank).absolute())
        return FeatureBank.open(nearby(location)), location
    print("no --bank: generated soundscapes, as the tiny backbone hears them", flush=True)
    embedded = embedded_bank(home(), make=make)
    print(f"bank:   {embedded.path}", flush=True)
    return embedded, str(embedded.path)

"""Flags that sweeps and searches share, and the objects that they specify."""

import argparse
from collections.abc import Collection, Iterator, Sequence
from dataclasses import Field, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from mgcl.catalogue import load
from mgcl.cluster.machines import Machines
from mgcl.errors import SweepError
from mgcl.extraction.generated import SOUNDSCAPES, generated_bank
from mgcl.features import FeatureBank
from mgcl.features.copies import nearby
from mgcl.home import home
from mgcl.tasks import Draws

_Draws = TypeVar("_Draws", bound=Draws)


class _Asking(Protocol):
    """Protocol of sweeps and searches: a dataclass with draws."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def draws(self) -> Draws: ...


_Asked = TypeVar("_Asked", bound=_Asking)

MACHINE_FLAGS = {"actors": "--workers", "gpus_per_actor": "--gpus-per-trial"}
"""Fields of ``Machines`` -> flags of these commands with another name."""


def add_draw_flags(group: Any, draws: Draws, *, but: Collection[str] = ()) -> None:
    """Add one flag per field of a task's ``Draws``, with the field's value as default.

    Args:
        group: parser or argument group that gets the flags.
        draws: the draws that hold the defaults.
        but: names of fields without a flag.
    """
    for each, kind in _kinds(draws):
        if each.name in but:
            continue
        options: dict[str, Any] = {"nargs": "+"} if kind.several else {}
        group.add_argument(
            kind.flag,
            dest=each.name,
            type=kind.of,
            metavar=each.metadata["metavar"],
            default=getattr(draws, each.name),
            help=each.metadata["about"],
            **options,
        )
    if presets := load("task", draws.task).PRESETS:
        group.add_argument("--protocol", choices=tuple(presets), help="a published way to draw, instead of its flags")


def add_bank_flags(group: Any, defaults: Any, generated: str = SOUNDSCAPES) -> None:
    """Add the flags that specify feature banks.

    Args:
        group: parser or argument group that gets the flags.
        defaults: has the flags' default values as attributes.
        generated: data set of the bank that is taken if none is given.
    """
    group.add_argument(
        "--bank",
        dest="banks",
        nargs="+",
        metavar="DIR",
        default=defaults.banks,
        help=f"feature banks (none: generated {generated}, embedded by the tiny backbone)",
    )
    group.add_argument(
        "--audio-only",
        action="store_true",
        default=defaults.audio_only,
        help="of a bank without captions, run all the same",
    )


@dataclass(frozen=True)
class _Kind:
    """Flag and type of a field of ``Draws``; ``several``: it takes one or more values."""

    flag: str
    of: type
    several: bool


def _kinds(draws: Draws) -> Iterator[tuple[Field[Any], _Kind]]:
    hints = get_type_hints(type(draws))
    for each in fields(draws):
        hint = hints[each.name]
        several = get_origin(hint) is tuple
        of = next(kind for kind in (get_args(hint) or (hint,)) if kind not in (type(None), Ellipsis))
        yield each, _Kind(f"--{(each.metadata['flag'] or each.name).replace('_', '-')}", of, several)


def add_machine_flags(group: Any) -> None:
    """Add the flags that specify where trials run and where results are stored."""
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
    """Machines that the flags specify."""
    return Machines(flags.address, flags.workers, flags.gpus_per_trial)


def repeated(flags: argparse.Namespace, draws: Draws, *, but: Collection[str] = ()) -> list[str]:
    """Words of the shared flags of a command, for printing a follow-up command.

    They contain all flags of the draws, and the flags of banks and machines that differ from their defaults. A tracking
    address with a password is omitted, because it must not be printed.

    Args:
        flags: parsed flags of the command.
        draws: draws that the flags specify.
        but: names of fields of ``draws`` whose flags the other command does not need.
    """
    words: list[str] = []
    for each, kind in _kinds(draws):
        if each.name not in but and (value := getattr(draws, each.name)) is not None:
            words += [kind.flag, *map(str, value if kind.several else [value])]
    parser = argparse.ArgumentParser()
    add_bank_flags(parser, argparse.Namespace(banks=(), audio_only=False))
    add_machine_flags(parser)
    for action in parser._actions:
        value = getattr(flags, action.dest, None)
        if value is None or value is False or value == () or value == action.default:
            continue
        if action.dest == "tracking_uri" and urlsplit(str(value)).password:
            continue
        values = value if isinstance(value, list | tuple) else [value]
        words += [action.option_strings[0], *(str(each) for each in values if each is not True)]
    return words


def drawn(draws: _Draws, flags: argparse.Namespace) -> _Draws:
    """Replace the values of a task's draws by those of the flags.

    Raises:
        SweepError: two flags set the same field, or a value is out of its range.
    """
    given = {each.name: getattr(flags, each.name) for each, _ in _kinds(draws) if hasattr(flags, each.name)}
    chosen = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    if preset := getattr(flags, "protocol", None):
        fixed = load("task", draws.task).PRESETS[preset]
        if any(chosen[name] != getattr(draws, name) for name in fixed):
            names = " and ".join(f"--{name.replace('_', '-')}" for name in fixed)
            raise SweepError(f"--protocol says what is drawn; leave {names} out")
        chosen |= fixed
    return replace(draws, **chosen)


def override(asked: _Asked, flags: argparse.Namespace) -> _Asked:
    """Replace the values of a sweep or search by those of the flags; fields without a flag stay.

    Raises:
        SweepError: two flags set the same field, or a value is out of its range.
    """
    chosen: dict[str, Any] = {"draws": drawn(asked.draws, flags)}
    for each in fields(asked):
        if each.name != "draws" and hasattr(flags, each.name):
            value = getattr(flags, each.name)
            chosen[each.name] = tuple(value) if isinstance(value, list) else value
    return replace(asked, **chosen)


def open_banks(banks: Sequence[str], *, make: bool = True, generated: str = SOUNDSCAPES) -> dict[str, FeatureBank]:
    """Open feature banks; without any, open the bank of a generated data set.

    Args:
        banks: folders, or addresses that ``nearby`` takes.
        make: make the generated bank if it does not exist yet.
        generated: data set of that bank.

    Returns:
        Location of each bank, valid for every worker -> the opened bank.

    Raises:
        SweepError: two banks have the same content.
    """
    if not banks:
        print(f"no --bank: generated {generated}, as the tiny backbone embeds them", flush=True)
        embedded = generated_bank(generated, home(), make=make)
        print(f"bank:   {embedded.path}", flush=True)
        return {str(embedded.path): embedded}
    opened: dict[str, FeatureBank] = {}
    for bank in banks:
        print(f"bank:   {bank}", flush=True)
        location = bank if "://" in bank else str(Path(bank).absolute())
        found = FeatureBank.open(nearby(location))
        if twin := next((other for other, each in opened.items() if each.digest == found.digest), None):
            raise SweepError(f"--bank {bank}: has the same content as {twin}; name each bank once")
        opened[location] = found
    return opened


def one_bank(banks: Sequence[str], generated: str = SOUNDSCAPES) -> tuple[str, FeatureBank]:
    """Location and opened bank, for a command that takes one bank only.

    Raises:
        SweepError: several banks are given.
    """
    if len(banks) > 1:
        raise SweepError(f"--bank {' '.join(banks)}: this command takes one bank; run it once per bank")
    (opened,) = open_banks(banks, generated=generated).items()
    return opened

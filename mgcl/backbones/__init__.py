"""Backbones, one file per backbone, and the choice of the default one."""

from pathlib import Path
from typing import NamedTuple

from mgcl.catalogue import load


class Choice(NamedTuple):
    """A backbone: its name, and words for the user on why it was chosen."""

    name: str
    why: str
    here: bool = True
    """Whether its weights are on this machine."""


def reads_text(name: str) -> bool:
    """Whether the backbone of this name has a text side. Its weights are not loaded.

    Raises:
        MgclError: there is no backbone of this name.
    """
    return bool(getattr(load("backbone", name), "READS_TEXT", True))


def former_weights(name: str, fingerprint: str) -> str | None:
    """Weights of this fingerprint that came with an earlier mgcl under this name; None: there are none.

    Models and indexes that were made with them stay usable.
    """
    folder = Path(__file__).parent / f"{name}_weights" / "former" / fingerprint
    return str(folder) if fingerprint.isalnum() and folder.is_dir() else None


def for_recordings() -> Choice:
    """Return the CLAP to recommend to users of tiny, and what to run before it is used. Nothing is downloaded."""
    from mgcl.backbones import transformers_clap

    here = transformers_clap.is_here()
    why = "its weights are here" if here else "first run `mgcl weights fetch transformers_clap`"
    return Choice("transformers_clap", why, here)


def default(weights: str | None = None) -> Choice:
    """Return the default backbone: efficientat if its weights are on this machine, else tiny. Nothing is downloaded.

    Args:
        weights: weights that the user named without a backbone; they are taken as weights of tiny.
    """
    if weights is not None:
        return Choice("tiny", f"backbone: tiny, of which the weights {weights} are; `backbone` names another")
    from mgcl.backbones import efficientat

    if not (absent := efficientat.absent()):
        return Choice("efficientat", "backbone: efficientat, which knows recordings, as its weights are here")
    megabytes = sum(each.bytes or 0 for each in efficientat.PUBLISHED) / 1e6
    return Choice(
        "tiny",
        "backbone: tiny, which knows generated sounds alone: of efficientat, which knows recordings, "
        f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not here; `mgcl weights fetch efficientat` "
        f"fetches what is missing (at most {megabytes:.0f} MB) into $MGCL_HOME, by default .mgcl of this folder",
    )

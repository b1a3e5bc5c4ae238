"""Arguments and checks that several commands share."""

import argparse
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.audio import CHANNELS
from mgcl.backbones import default
from mgcl.catalogue import names
from mgcl.data import STREAMED
from mgcl.errors import MgclError, gathered_warnings, with_flags

if TYPE_CHECKING:
    from mgcl import FewShotClassifier

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object


def add_model(command: argparse.ArgumentParser) -> None:
    """Add the arguments that select a model and how it is opened; see ``open_model``."""
    command.add_argument(
        "model", type=Path, metavar="MODEL", help="folder that `mgcl fit` wrote, or hub:OWNER/NAME@COMMIT"
    )
    command.add_argument("--weights", metavar="W", help="of its backbone, if they lie elsewhere now")
    command.add_argument("--channels", choices=CHANNELS, help="of files with several (default: as `mgcl fit` was told)")
    command.add_argument("--device", default="cpu", help="a torch device (default: cpu)")


def add_one_window(command: argparse.ArgumentParser) -> None:
    """Add the argument that selects what is taken of long clips; see ``open_model``."""
    command.add_argument(
        "--one-window",
        action="store_true",
        help="take one window of a clip that is longer than the backbone's input, not all of it (models of older mgcl "
        "always do)",
    )


def open_model(flags: argparse.Namespace) -> "FewShotClassifier":
    """Load the classifier that ``add_model``'s arguments select."""
    from mgcl import FewShotClassifier

    model = FewShotClassifier.load(flags.model, weights=flags.weights, device=flags.device, channels=flags.channels)
    return model.set_params(one_window=True) if getattr(flags, "one_window", False) else model


def add_backbone(command: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add the argument that selects a backbone; see ``chosen_backbone``."""
    command.add_argument(
        "--backbone",
        metavar="NAME",
        help=f"of {', '.join(names('backbone'))} (default: efficientat where its weights are here, else tiny)",
    )


def chosen_backbone(flags: argparse.Namespace) -> str:
    """Name of the backbone that ``add_backbone``'s argument selects.

    Without the argument it is the default, and the reason is printed in one line.
    """
    if flags.backbone is not None:
        return str(flags.backbone)
    choice = default(flags.weights)
    print(with_flags(choice.why, flags.called), flush=True)
    return choice.name


def add_dataset(command: "argparse.ArgumentParser | argparse._ArgumentGroup", *, streamed: bool = False) -> None:
    """Add the arguments that select a data set and its folder; see ``mgcl.data._opening.opened``.

    Args:
        command: command, or group of arguments, that gets them.
        streamed: whether it takes those of ``mgcl.data._streamed`` too.
    """
    command.add_argument(
        "--dataset",
        required=True,
        metavar="NAME",
        help=f"of {', '.join(names('dataset'))}; or hub:OWNER/NAME@COMMIT, of the Hugging Face hub"
        + (f"; {', or '.join(STREAMED)}, of any number of clips" if streamed else ""),
    )
    command.add_argument(
        "--root", metavar="DIR", type=Path, help="where the data set lies (of hub: default in $MGCL_HOME/data)"
    )


def add_channels(command: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add the argument that selects how several channels become one."""
    command.add_argument(
        "--channels",
        choices=CHANNELS,
        default="average",
        help="what to take of files with several channels (default: average); left and right are the first two, "
        "louder is that with the higher level in the file",
    )


def add_window(command: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add the argument that sets the window of the protocol."""
    command.add_argument(
        "--window",
        metavar="SECONDS,FILL,CUT",
        help="what of a clip is embedded or captioned, e.g. 10,zeros,first: FILL is what fills shorter clips (repeat, "
        "zeros), CUT what is taken of longer ones (random, first); default: the data set's own, or the model's with "
        "repeat,random",
    )


def say_what_is_passed_over(root: Path) -> None:
    """Print what a folder of classes holds beside clips: one line per other file, and the number of hidden files."""
    from mgcl.audio.formats import advice, is_audio
    from mgcl.data.folder import hidden, passed_over

    for path in passed_over(root):
        why = advice(path) or ("a class's clips lie in its folder itself" if is_audio(path) else "is no audio file")
        print(f"passed over: {path}: {why}")
    if count := hidden(root):
        print(f"{root}: {count} hidden files were passed over")


def check_out(out: Path, *, folder: bool) -> None:
    """Check that an output can be written, before the work for it is done.

    Args:
        out: path of the output.
        folder: whether the output is a folder, else a file.

    Raises:
        MgclError: the output cannot be written; names the reason.
    """
    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if (there == out.absolute() and there.is_dir() != folder) or (there != out.absolute() and not there.is_dir()):
        raise MgclError(f"{out}: {there} is a {'folder' if there.is_dir() else 'file'}; name another place")
    if not os.access(there, os.W_OK):
        raise MgclError(f"{out}: nothing can be written to {there}; name another place")


@contextmanager
def warnings_as_lines(flags: argparse.Namespace) -> Iterator[None]:
    """Print mgcl's own warnings, one line per warning, when the context ends. Other warnings are left alone."""
    with gathered_warnings() as said:
        yield
    for each in said:
        print(f"warning: {with_flags(each, flags.called)}", file=sys.stderr)


def add_address(command: argparse.ArgumentParser, *, port: int) -> None:
    """Add the arguments for the address of a command's web page; ``port`` is the default."""
    command.add_argument(
        "--host", default="127.0.0.1", help="to listen to; anything else lets others in (default: %(default)s)"
    )
    command.add_argument("--port", type=int, default=port, metavar="P", help="default: %(default)s")
    command.add_argument("--no-browser", action="store_true", help="only print the page's address")


def check_address(host: str, port: int) -> None:
    """Check that a page can be served at this address.

    Raises:
        MgclError: the address cannot be used; names the reason.
    """
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (")[0]
        raise MgclError(f"--port {port}: cannot be used on {host} ({reason}); name another") from None


def warn_of_named_classes(share: float | None) -> None:
    """Print a warning if more than half of the captions contain a word of their class's name.

    Args:
        share: share of the captions that do, in 0..1; None: there are no captions.
    """
    if share is not None and share > 0.5:
        print(
            f"warning: {100 * share:.0f} % of the captions contain a word of their class's name; "
            "if they were written from the labels, accuracies of variants that read them mean nothing",
            file=sys.stderr,
        )

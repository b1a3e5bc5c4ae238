"""The errors a user can mend: every message names the file or value and says what to do next."""

import argparse
import errno
import io
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mgcl.extras import missing
from mgcl.masking import scrubbed

_START = 60
"""Characters of a sentence that a message gives."""


class MgclError(Exception):
    """Bad input; the command line prints the message alone and exits with 2.

    A message, of a warning too, calls a parameter `shots`, in backticks; a command prints it ``with_flags``.
    """


class DataError(MgclError):
    """A data set, or one of its audio files, cannot be read or made."""


class BackboneError(MgclError):
    """A backbone's weights cannot be loaded, or it cannot take what it is given."""


class SentenceError(BackboneError):
    """A text tower cannot take a sentence.

    Attributes:
        sentence: the whole of it; the message gives its start.
    """

    def __init__(self, sentence: str, fault: str) -> None:
        super().__init__(sentence, fault)
        self.sentence, self.fault = sentence, fault

    def __str__(self) -> str:
        start = self.sentence if len(self.sentence) <= _START else f"{self.sentence[:_START]}..."
        return f"{start!r} {self.fault}"


class ClusterError(MgclError):
    """No Ray cluster answers, or its workers do not stay alive."""


class BankError(MgclError):
    """A feature bank, or the arrays that should become one, cannot be used."""


class SweepError(MgclError):
    """A sweep asks for something that its bank, its variants or its machines cannot give."""


class SearchError(MgclError):
    """A search asks for something that its bank, its space or its study cannot give."""


class ClassifierError(MgclError, ValueError):
    """A classifier is asked for something that its clips, its options or its model cannot give."""


class ReportError(MgclError):
    """A report cannot be written."""


class TrackingError(MgclError):
    """The MLflow store cannot be opened or does not hold what was asked for."""


class DeletedError(MgclError):
    """The MLflow experiment of a sweep or search was deleted while it ran."""


class MgclWarning(UserWarning):
    """Something that changes no result, but that a user would want to mend; a sweep shows each once."""


def with_flags(message: object, flags: Mapping[str, str]) -> str:
    """A message in the words of a command: parameters that have a flag are called by it.

    >>> with_flags("lower `shots` or `queries`", {"shots": "--shots"})
    'lower --shots or `queries`'
    """
    return re.sub(r"`(\w+)`", lambda found: flags.get(found[1], found[0]), str(message))


def flag_names(command: argparse.ArgumentParser) -> dict[str, str]:
    """Parameter -> flag, of a command and its sub-commands, for ``with_flags``.

    A command whose flag is called otherwise than the parameter sets the default ``called`` to such a mapping.
    """
    found: dict[str, str] = {}
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                found |= flag_names(each)
        elif action.option_strings:
            found[action.dest] = action.option_strings[-1]
    return found


@contextmanager
def gathered_warnings() -> Iterator[list[str]]:
    """The sentences of mgcl's own warnings, once the work is done; others go their usual way."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MgclWarning)
        yield said
    for each in caught:
        if issubclass(each.category, MgclWarning):
            said.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


_USERS_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR)


ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""What ends a command as Ctrl-C does."""


def run_and_exit(
    job: Callable[[], int], flags: Mapping[str, str] | None = None, *, command: str | None = None
) -> NoReturn:
    """Run a command and leave with its exit code: 2 with a line for a user's error, 130 after Ctrl-C or ``ENDINGS``.

    A failed import of a package that comes with an extra is a user's error.

    Args:
        job: the command; returns the exit code.
        flags: parameter -> the command's flag for it, for ``with_flags``.
        command: its name, for messages (default: that of the program).
    """
    _end_as_after_ctrl_c()
    _print_anything_at_once()
    try:
        code = job()
    except MgclError as error:
        print(f"error: {scrubbed(with_flags(error, flags or {}))}", file=sys.stderr)
        code = 2
    except ModuleNotFoundError as error:
        if (lacking := missing(error.name or "")) is None:
            raise
        print(f"error: {command or Path(sys.argv[0]).name} needs {lacking}", file=sys.stderr)
        code = 2
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.errno not in _USERS_ERRORS or error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}; mend that, or name another place", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = 130
    sys.exit(code)


def _end_as_after_ctrl_c() -> None:
    """Whatever ends this process, it tidies up: what it started never outlives it."""
    if threading.current_thread() is threading.main_thread():
        for ending in ENDINGS:
            if signal.getsignal(ending) != signal.SIG_IGN:  # nohup
                signal.signal(ending, signal.default_int_handler)


def _print_anything_at_once() -> None:
    """A locale without a plus-minus sign gets its escape; a file or a pipe gets each line when it is printed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace" if stream.errors == "strict" else stream.errors, line_buffering=True
            )


def root_cause(error: BaseException) -> BaseException:
    """The first of the errors that were raised from one another."""
    while error.__cause__:
        error = error.__cause__
    return error

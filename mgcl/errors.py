"""Errors that a user can mend; every message names the file or value and the next step."""

import argparse
import difflib
import errno
import io
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mgcl.extras import missing
from mgcl.masking import scrubbed

_START = 60
"""Number of characters of a sentence that a message quotes."""


class MgclError(Exception):
    """Bad input; the command line prints the message without a traceback and exits with 2.

    Messages of errors and warnings put the name of a parameter in backticks, `shots`; a command replaces it by its flag
    (``with_flags``).
    """


class DataError(MgclError):
    """A data set, or one of its audio files, cannot be read or made."""


class BackboneError(MgclError):
    """A backbone's weights cannot be loaded, or the backbone cannot embed its input."""


class SentenceError(BackboneError):
    """A text tower cannot take a sentence.

    Attributes:
        sentence: the complete sentence; the message quotes its start.
        fault: why the text tower cannot take it.
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
    """A sweep needs something that its bank, its variants or its machines do not provide."""


class SearchError(MgclError):
    """A search needs something that its bank, its space or its study does not provide."""


class ClassifierError(MgclError, ValueError):
    """A call of a classifier needs something that its clips, its options or its model do not provide."""


class ReportError(MgclError):
    """A report cannot be written."""


class TrackingError(MgclError):
    """The MLflow store cannot be opened, or lacks the requested runs."""


class DeletedError(MgclError):
    """The MLflow experiment of a sweep or search was deleted while it ran."""


class MgclWarning(UserWarning):
    """A problem that changes no result but that a user may want to mend; a sweep shows each warning once."""


def among(name: object, known: Iterable[str]) -> str:
    """Names that there are, for the message on a name that there is not; the nearest one comes first, if one is near.

    >>> among("ful", ("full", "knn"))
    "the nearest is 'full'; there are: full, knn"
    >>> among("svm", ("full", "knn"))
    'there are: full, knn'
    """
    names = tuple(known)
    near = "".join(f"the nearest is {each!r}; " for each in difflib.get_close_matches(str(name), names, n=1))
    return f"{near}there are: {', '.join(names)}"


def with_flags(message: object, flags: Mapping[str, str]) -> str:
    """Replace the parameters in a message by the flags of a command; parameters without a flag stay.

    >>> with_flags("lower `shots` or `queries`", {"shots": "--shots"})
    'lower --shots or `queries`'
    """
    return re.sub(r"`(\w+)`", lambda found: flags.get(found[1], found[0]), str(message))


def flag_names(command: argparse.ArgumentParser) -> dict[str, str]:
    """Parameter -> flag of a command and its sub-commands, for ``with_flags``.

    A command with a flag whose name differs from the parameter's sets the default ``called`` to such a mapping.
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
    """Collect the messages of mgcl's own warnings.

    The yielded list is filled when the block ends; other warnings are issued again then.
    """
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MgclWarning)
        yield said
    for each in caught:
        if issubclass(each.category, MgclWarning):
            said.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


_FULL = (errno.ENOSPC, errno.EDQUOT)
_USERS_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS, *_FULL, errno.ENOTDIR, errno.EISDIR)


ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command as Ctrl-C does."""


def run_and_exit(
    job: Callable[[], int], flags: Mapping[str, str] | None = None, *, command: str | None = None
) -> NoReturn:
    """Run a command and exit with its code: 2 with one line for a user's error, 130 after Ctrl-C or ``ENDINGS``.

    A failed import of a package that comes with an extra is a user's error.

    Args:
        job: the command; returns the exit code.
        flags: parameter -> flag of the command, for ``with_flags``.
        command: name of the command, for messages (default: that of the program).
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
    except BrokenPipeError:  # the reader of the output closed the pipe, as ``head`` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.errno not in _USERS_ERRORS or (error.filename is None and error.errno not in _FULL):
            raise
        place = error.filename or "the output"  # of a full disk below a redirected stdout
        print(f"error: {place}: {error.strerror}; mend that, or name another place", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = 130
    sys.exit(code)


def _end_as_after_ctrl_c() -> None:
    """Handle ``ENDINGS`` as Ctrl-C, so that the process cleans up and none that it started outlives it."""
    if threading.current_thread() is threading.main_thread():
        for ending in ENDINGS:
            if signal.getsignal(ending) != signal.SIG_IGN:  # nohup ignores it on purpose
                signal.signal(ending, signal.default_int_handler)


def _print_anything_at_once() -> None:
    """Escape characters that the locale lacks (e.g. ±), and flush every line, to files and pipes too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace" if stream.errors == "strict" else stream.errors, line_buffering=True
            )


def root_cause(error: BaseException) -> BaseException:
    """Follow ``__cause__`` to the first error of a chain."""
    while error.__cause__:
        error = error.__cause__
    return error

"""The audio files that a command's arguments stand for: files, folders, patterns, and paths on stdin."""

import glob
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from mgcl.errors import DataError


def found_clips(given: Sequence[str]) -> tuple[list[str], int]:
    """Resolve the arguments to files. Every argument without files causes a line on stderr.

    Returns:
        The files, and the number of arguments without files.

    Raises:
        DataError: no argument has files.
    """
    found = [_found(each) for each in given]
    wrong = [each for each in found if isinstance(each, DataError)]
    if len(wrong) == len(found):
        raise wrong[0]
    for each in wrong:
        print(f"error: {each}", file=sys.stderr)
    return [clip for each in found if not isinstance(each, DataError) for clip in each], len(wrong)


def openable(paths: Sequence[Path]) -> tuple[list[Path], float, list[DataError]]:
    """The recordings that can be opened, their seconds in all, and the errors of the others."""
    from mgcl.audio.excerpt import duration

    there, seconds, faults = [], 0.0, []
    for path in paths:
        try:
            seconds += duration(path)
            there.append(path)
        except DataError as error:
            faults.append(error)
    return there, seconds, faults


def _found(given: str) -> list[str] | DataError:
    """The files that an argument stands for, in a fixed order; an error, not raised, if there are none."""
    from mgcl.audio.formats import PYAV, SUFFIXES
    from mgcl.data.folder import is_hidden

    path = Path(given)
    found = [given]
    if given == "-":
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # file names may be invalid UTF-8
        listed = sys.stdin.read()
        lines = listed.split("\0" if "\0" in listed else "\n")  # find -print0 separates names by NUL
        found = [line.rstrip("\r\n") for line in lines if line.strip()]
    elif path.is_dir():
        listed_here = {*SUFFIXES, *PYAV}  # files that need a missing PyAV cause an error later
        there = [each for each in sorted(path.rglob("*")) if each.suffix.lower() in listed_here and each.is_file()]
        found = [str(each) for each in there if not is_hidden(each.relative_to(path))]
        if hidden := len(there) - len(found):
            print(f"{path}: {hidden} hidden files were passed over", file=sys.stderr)
    elif not path.exists() and glob.has_magic(given):
        anchor = Path(path.anchor)
        found = [str(each) for each in sorted(anchor.glob(str(path.relative_to(anchor))))]
    return found or DataError(f"{given}: no clips there; a clip is one of {' '.join(SUFFIXES)}")

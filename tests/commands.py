"""Commands run in the tests' own process: an interpreter that imports torch, MLflow and Ray anew takes ten seconds."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import jaxtyping
import pytest

from mgcl import cli


def run_here(
    job: Callable[[], object], *, folder: Path = Path(), stdin: str = "", **environment: str | Path
) -> CompletedProcess[str]:
    """Run a command, which leaves with an exit code, in a folder; what it returns is what a process of its own would.

    Shapes are not checked meanwhile, as for a user: the checks make a trial much longer.

    Args:
        job: calls the command's main function.
        folder: it runs in.
        stdin: it reads.
        environment: variables that it finds beside those of this process.
    """
    out, errors = io.StringIO(), io.StringIO()
    with (
        chdir(folder),
        patch.dict(os.environ, {name: str(value) for name, value in environment.items()}),
        patch.object(sys, "stdin", io.StringIO(stdin)),
        patch.object(jaxtyping.config, "jaxtyping_disable", True),
        redirect_stdout(out),
        redirect_stderr(errors),
        pytest.raises(SystemExit) as left,
    ):
        job()
    return CompletedProcess((), left.value.code or 0, out.getvalue(), errors.getvalue())


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``mgcl`` with these words, in this process and where it is."""
    with pytest.raises(SystemExit) as left:
        cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err

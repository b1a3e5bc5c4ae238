"""Version and commit of the code that made a result."""

import subprocess
from pathlib import Path

import mgcl


def source_revision() -> dict[str, str]:
    """Tags with the version and, in a git checkout, the commit and whether the package's files differ from it."""
    about = {"mgcl_version": mgcl.__version__}
    if _git("ls-files", "--error-unmatch", "errors.py") is None:
        return about  # not a checkout of mgcl; a surrounding repository would be another project's
    return about | {
        "commit": (_git("rev-parse", "HEAD") or "none").strip(),
        "dirty": str(bool((_git("status", "--porcelain", "--untracked-files=no", ".") or "").strip())),
    }


def _git(*arguments: str) -> str | None:
    folder = Path(mgcl.__file__).parent
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout

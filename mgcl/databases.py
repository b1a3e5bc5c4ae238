"""SQLite addresses and the files that they name."""

import os
import tempfile
from pathlib import Path
from urllib.parse import unquote

from mgcl.errors import MgclError
from mgcl.masking import masked


def database_file(address: str) -> Path | None:
    """Absolute path of the file of a SQLite address; None for the address of another database or a server.

    Raises:
        MgclError: the address names no file, a folder, or a database in memory, which would end with the process.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not address.startswith("sqlite"):
        return None
    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.host:
        raise MgclError(f"{masked(address)}: names no SQLite file; write sqlite:///FILE, or sqlite:////ABSOLUTE/FILE")
    name = url.database or ""
    if "uri" in url.query and name.startswith("file:"):
        name = unquote(name.removeprefix("file:"))
    if name in {"", ":memory:"} or url.query.get("mode") == "memory":
        raise MgclError(f"{address}: a database in memory is lost when the command ends; name a file, sqlite:///FILE")
    file = Path(name).absolute()
    if file.is_dir():
        raise MgclError(f"{address}: {file} is a folder; name a file in it, e.g. sqlite:///{file / 'mlflow.db'}")
    return file


def check_writable(file: Path) -> None:
    """Make the folder of a database, and check before any work that the database can be written.

    Raises:
        MgclError: the file, or the journal and lock files beside it, cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # A named file, because an unnamed one (O_TMPFILE) succeeds on some file systems all the same.
        tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-").close()
        if file.exists() and not os.access(file, os.W_OK):
            raise PermissionError(None, "Permission denied")
    except OSError as error:
        raise MgclError(
            f"{file}: this database cannot be written, or no file made beside it ({error.strerror}); make both "
            "writable, or name another file"
        ) from None

"""Banks on shared or object storage, copied once to a machine's own disk, under their digest, and mapped there.

``ROOT/banks/DIGEST`` is a bank. ``ROOT/banks/at-STATE`` is a link to it, where STATE depends on the address and on the
sizes and times of the files there. A file that is replaced by one of the same size within the resolution of the
storage's clock goes unnoticed. ROOT is ``$MGCL_NODE_DIR``, by default ``mgcl-UID`` in the folder for temporary files;
it may be deleted between sweeps.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pyarrow as pa
from filelock import FileLock
from pyarrow import fs
from tqdm import tqdm

from mgcl import records
from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank
from mgcl.features.hashes import hash_content, write_hashes
from mgcl.features.schema import CLASSES, CLIPS, HEADER

_FILES = (HEADER, CLASSES, CLIPS)
_CHUNK = 1 << 24
"""Bytes per read, which is also the memory that a copy takes."""
_DRAFT = ".draft-"
_SHARED = ("nfs", "smb", "cifs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "wekafs", "afs", "fuse")
"""Beginnings of the names of network file systems."""
_LOCAL_FUSE = ("fuseblk", "fuse.fuse-overlayfs")


@dataclass(frozen=True)
class _Source:
    """Location of a bank: its address, and the file system and folder that the address names."""

    address: str
    system: fs.FileSystem
    folder: str


def nearby(location: str | Path, *, digest: str | None = None) -> Path:
    """Return a folder on this machine's own disk that holds a bank, for ``FeatureBank.open``.

    A bank on shared or object storage is copied once, even if several processes need it at the same time. An
    interrupted copy leaves nothing that could be taken for a bank. Without a digest only the sizes and times of the
    files are read from the storage, if this machine has a copy of the bank with these sizes and times.

    Args:
        location: a folder, or an address for pyarrow: ``s3://BUCKET/KEY``, ``gs://BUCKET/KEY``, ``file:///DIR``.
            Region and credentials come from the provider's usual environment (``AWS_REGION``, ``AWS_PROFILE``,
            ``AWS_ACCESS_KEY_ID`` ..., or the machine's role), options from the address's query
            (``?endpoint_override=HOST:PORT&scheme=http``).
        digest: digest of the bank. If this machine has a copy with this digest, the storage is not accessed. None: the
            bank that is at the location now.

    Returns:
        ``location`` itself, unchecked, if it is a folder of a local disk; else the folder of the copy.

    Raises:
        BankError: there is no bank, it cannot be read or copied, or it has another digest; names the location.
    """
    address = str(location)
    if "://" not in address and not _is_shared(Path(address)):
        return Path(location)
    banks = _root() / "banks"
    try:
        if digest is not None and _is_complete(banks / digest):
            return banks / digest
        banks.mkdir(parents=True, exist_ok=True)
        with FileLock(banks / ".lock"):  # one copy at a time, as each uses the whole disk and network
            copy = _copied(_source(address), banks)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise BankError(
            f"{address}: cannot be copied to {banks} ({reason}); check the address, this machine's access to it, and "
            "the room there (MGCL_NODE_DIR names another folder)"
        ) from None
    if digest not in (None, copy.name):
        raise BankError(
            f"{address}: digest {copy.name}, not {digest}: changed since the sweep was planned; start the sweep again"
        )
    return copy


def _is_shared(path: Path) -> bool:
    """Whether a path lies on a network file system."""
    real = path.resolve()
    mounts = [each for each in psutil.disk_partitions(all=True) if real.is_relative_to(each.mountpoint)]
    # of several file systems on one mount point the last one is visible
    kind = max(reversed(mounts), key=lambda each: len(each.mountpoint)).fstype if mounts else ""
    return kind.startswith(_SHARED) and kind not in _LOCAL_FUSE


def _root() -> Path:
    """Return this machine's folder for copies.

    Raises:
        BankError: the default folder belongs to another user, so that its content cannot be trusted.
    """
    if chosen := os.environ.get("MGCL_NODE_DIR"):
        return Path(chosen).absolute()
    root = Path(tempfile.gettempdir()) / f"mgcl-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.lstat().st_uid != os.getuid():
        raise BankError(f"{root}: belongs to another user; set MGCL_NODE_DIR to a folder of your own")
    return root


def _is_complete(folder: Path) -> bool:
    """Whether all files of a copy exist. Cleaners of temporary folders may have deleted single files."""
    return all((folder / name).is_file() for name in _FILES)


def _source(address: str) -> _Source:
    if "://" not in address:
        return _Source(address, fs.LocalFileSystem(), str(Path(address).absolute()))
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise BankError(
            f"{parts.scheme}://...@{parts.hostname}{parts.path}: an address must not hold credentials, it is kept with "
            "the results; put them into the environment"
        )
    return _Source(address, *fs.FileSystem.from_uri(address))


def _copied(source: _Source, banks: Path) -> Path:
    """Return the copy of the bank that is at the source now, and make it if need be. The caller must hold the lock."""
    state = _state(source)
    link = banks / f"at-{state}"
    if not _is_complete(link):
        for left in banks.glob(f"{_DRAFT}*"):  # drafts of interrupted copies
            shutil.rmtree(left)
        copy = _copy(source, banks, state)
        link.unlink(missing_ok=True)
        link.symlink_to(copy.name)
    return banks / link.readlink()


def _state(source: _Source) -> str:
    """Return hex digits that depend on the address and on the sizes and times of the files there.

    Raises:
        BankError: a file of the bank is missing.
    """
    found = source.system.get_file_info([f"{source.folder}/{name}" for name in _FILES])
    for each in found:
        if not each.is_file:
            raise BankError(
                f"{source.address}: no {each.base_name} there; a feature bank is {HEADER}, {CLIPS} and {CLASSES}: "
                "check the address"
            )
    content = [source.address, source.folder, *([each.size, each.mtime_ns] for each in found)]
    return records.digest(content)[:16]


def _copy(source: _Source, banks: Path, state: str) -> Path:
    """Copy a bank into a draft, then rename the draft to its digest.

    Raises:
        BankError: the bank changed while it was copied, or is not valid.
    """
    with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=banks) as parent:
        draft = Path(parent) / "bank"
        draft.mkdir()
        for name in _FILES:
            _copy_file(source, name, draft / name)
        if _state(source) != state:
            raise BankError(f"{source.address}: changed while it was copied; run the command again once it is written")
        try:
            bank = FeatureBank.open(draft)
        except BankError as error:
            raise BankError(str(error).replace(str(draft), source.address)) from None
        hashes = hash_content(bank.header, bank.clips, bank.classes)
        write_hashes(draft, hashes)
        target = banks / hashes.digest
        if not _is_complete(target):
            shutil.rmtree(target, ignore_errors=True)
            draft.rename(target)
        return target


def _copy_file(source: _Source, name: str, target: Path) -> None:
    """Stream a file to the disk. On a terminal a long copy shows a progress bar."""
    with source.system.open_input_file(f"{source.folder}/{name}") as content, target.open("wb") as file:
        with tqdm.wrapattr(content, "read", desc=name, total=content.size(), disable=None, delay=1) as stream:
            shutil.copyfileobj(stream, file, _CHUNK)
        file.flush()
        os.fsync(file.fileno())  # without it, a power cut after the rename could leave a copy with holes

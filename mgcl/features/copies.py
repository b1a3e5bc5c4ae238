"""Banks on shared or object storage, copied once to a machine's own disk, under their digest, and mapped there.

``ROOT/banks/DIGEST`` is a bank. A bank of shards is copied without its vectors, which are read when they are first used
(``mgcl.features.ranges``); ``ROOT/banks/DIGEST-ADDRESS`` is that copy, where ADDRESS is the hash of the address.
``ROOT/banks/at-STATE`` is a link to a copy, where STATE depends on the address and on the sizes and times of the files
there. A file that is replaced by one of the same size within the resolution of the storage's clock goes unnoticed. ROOT
is ``$MGCL_NODE_DIR``, by default ``mgcl-UID`` in the folder for temporary files; it may be deleted between sweeps.
"""

import os
import shutil
import tempfile
from pathlib import Path

import psutil
import pyarrow as pa
from filelock import FileLock

from mgcl import records
from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank
from mgcl.features.hashes import hash_content, write_hashes
from mgcl.features.ranges import SOURCE, copy_without_vectors
from mgcl.features.schema import CLASSES, CLIPS, HEADER
from mgcl.features.shards import names_of_clips
from mgcl.features.storage import Source, State, source_of

_DRAFT = ".draft-"
_SHARED = ("nfs", "smb", "cifs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "wekafs", "afs", "fuse")
"""Beginnings of the names of network file systems."""
_LOCAL_FUSE = ("fuseblk", "fuse.fuse-overlayfs")


def nearby(location: str | Path, *, digest: str | None = None) -> Path:
    """Return a folder on this machine's own disk that holds a bank, for ``FeatureBank.open``.

    A bank on shared or object storage is copied once, even if several processes need it at the same time; of shards
    the vectors are left there until they are used. An interrupted copy leaves nothing that could be taken for a bank.
    Without a digest only the header, and the sizes and times of the files, are read from the storage, if this machine
    has a copy of the bank with these sizes and times.

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
        for name in () if digest is None else (digest, _partial(digest, address)):
            if _is_complete(banks / name):
                return banks / name
        banks.mkdir(parents=True, exist_ok=True)
        with FileLock(banks / ".lock"):  # one copy at a time, as each uses the whole disk and network
            copy = _copied(source_of(address), banks)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise BankError(
            f"{address}: cannot be copied to {banks} ({reason}); check the address, this machine's access to it, and "
            "the room there (MGCL_NODE_DIR names another folder)"
        ) from None
    found = copy.name.partition("-")[0]
    if digest not in (None, found):
        raise BankError(
            f"{address}: digest {found}, not {digest}: changed since the sweep was planned; start the sweep again"
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
    try:
        clips = names_of_clips((folder / HEADER).read_text(encoding="utf-8"), str(folder / HEADER))
    except (OSError, ValueError, BankError):
        return False
    return all((folder / name).is_file() for name in (CLASSES, *clips, *(() if clips == (CLIPS,) else (SOURCE,))))


def _copied(source: Source, banks: Path) -> Path:
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


def _state(source: Source) -> str:
    """Return hex digits that depend on the address and on the sizes and times of the files there.

    Raises:
        BankError: a file of the bank is missing.
    """
    return records.digest([source.address, source.folder, *_files(source).values()])[:16]


def _files(source: Source) -> dict[str, State]:
    """States of a bank's files: the header, the classes, then the files of clips.

    Raises:
        BankError: a file of the bank is missing.
    """
    found = source.found(HEADER, CLASSES, CLIPS)
    clips: tuple[str, ...] = (CLIPS,)
    if HEADER in found and CLIPS not in found:  # only the header of a bank of shards needs to be read
        with source.system.open_input_file(source.place(HEADER)) as file:
            clips = names_of_clips(file.read().decode(errors="replace"), f"{source.address}/{HEADER}")
        found |= source.found(*clips)
    return source.complete(found, (HEADER, CLASSES, *clips))


def _copy(source: Source, banks: Path, state: str) -> Path:
    """Copy a bank into a draft, of shards without their vectors, then rename the draft to its digest.

    Raises:
        BankError: the bank changed while it was copied, or is not valid.
    """
    with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=banks) as parent:
        draft = Path(parent) / "bank"
        draft.mkdir()
        header, classes, *clips = _files(source)
        in_shards = clips != [CLIPS]
        for name in (header, classes, *(() if in_shards else clips)):
            source.copy(name, draft / name)
        if [*names_of_clips((draft / HEADER).read_text(encoding="utf-8", errors="replace"), HEADER)] != clips:
            raise BankError(
                f"{source.address}: has {CLIPS} beside the shards that {HEADER} lists; remove the older ones"
            )
        if in_shards:
            copy_without_vectors(source, clips, draft)
        if _state(source) != state:
            raise BankError(f"{source.address}: changed while it was copied; run the command again once it is written")
        try:
            bank = FeatureBank.open(draft)
        except BankError as error:
            raise BankError(str(error).replace(str(draft), source.address)) from None
        if not in_shards:
            write_hashes(draft, hash_content(bank.header, bank.clips, bank.classes))
        target = banks / (_partial(bank.digest, source.address) if in_shards else bank.digest)
        if in_shards or not _is_complete(target):  # shards of the same content may have new times
            shutil.rmtree(target, ignore_errors=True)
            draft.rename(target)
        return target


def _partial(digest: str, address: str) -> str:
    """Name of a copy that is filled from an address."""
    return f"{digest}-{records.digest(address)[:8]}"

"""Fetch a published data set: archives are downloaded, resumed, checked, unpacked and put in place."""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import requests

from mgcl.downloads import AGAIN, TIMEOUT, Fingerprint, download, failure, session, verify
from mgcl.errors import DataError, MgclError
from mgcl.progress import Bar


@dataclass(frozen=True)
class Archive:
    """A zip or tar.gz file in which a data set, or a part of it, is published."""

    url: str
    checksums: str
    """Address of the publisher's list of checksums: the files of a Zenodo record, or a commit's tree on GitHub."""
    contents: tuple[str, ...]
    """Files and folders of the archive that are moved to the data set's root."""
    top: str = ""
    """Folder inside the archive that holds the contents; empty: they are at the top."""

    @property
    def file(self) -> str:
        """Name of the archive on disk."""
        return self.url.rsplit("/", 1)[-1]


def fetch(archives: Sequence[Archive], root: Path) -> int:
    """Download, check and unpack the archives that a folder lacks.

    An archive is present if all its contents are. An interrupted download is resumed, in this call or the next. An
    archive that was put into the folder by hand is checked like a downloaded one.

    Args:
        archives: archives of one data set.
        root: folder of the data set; it is made if need be.

    Returns:
        Number of archives that were missing and are now present.

    Raises:
        DataError: there is no answer, a size or checksum is wrong (the file is removed), the archive is unsafe, or
            the folder cannot be written.
    """
    wanted = [each for each in archives if not all((root / name).exists() for name in each.contents)]
    with session() as patient:
        for archive in wanted:
            try:
                root.mkdir(parents=True, exist_ok=True)
                _fetch_archive(patient, archive, root)
            except requests.RequestException as error:
                raise DataError(_why(error, archive, root)) from None
            except OSError as error:
                raise DataError(f"{root}: {error}; make room or name another folder, and {AGAIN}") from None
    return len(wanted)


def _why(error: requests.RequestException, archive: Archive, root: Path) -> str:
    by_hand = f"unpack {archive.url} by hand: {', '.join(archive.contents)} belongs in {root}"
    return f"{failure(error, archive.url)}; {AGAIN} to go on where it stopped, or {by_hand}"


def _fetch_archive(patient: requests.Session, archive: Archive, root: Path) -> None:
    published = _published(patient, archive.checksums)
    packed, unpacked = root / archive.file, root / f"{archive.file}.unpacked"
    if not packed.exists():
        download(patient, archive.url, packed)
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        if archive.file in published:
            verify(packed, published[archive.file])
        _unpack(packed, unpacked, archive)
        if archive.file not in published:
            _verify_contents(unpacked / archive.top, archive.contents, published)
    except MgclError as error:
        packed.unlink()
        shutil.rmtree(unpacked, ignore_errors=True)
        raise DataError(f"{error}; {packed} is removed: {AGAIN}") from None
    for name in archive.contents:
        if not (root / name).exists():
            (unpacked / archive.top / name).rename(root / name)
    shutil.rmtree(unpacked)
    packed.unlink()


def _published(patient: requests.Session, url: str) -> dict[str, Fingerprint]:
    """Read a publisher's list of checksums: by name for a Zenodo record, by path for a commit's tree.

    Raises:
        DataError: the answer is not such a list.
    """
    answer = patient.get(url, timeout=TIMEOUT)
    answer.raise_for_status()
    if answer.content.lstrip()[:1] == b"<":
        raise DataError(
            f"{url}: a web page came in place of the list of checksums, as where a network asks one to sign in; open "
            f"the address in a browser, and {AGAIN}"
        )
    try:
        listing = answer.json()
        if "files" in listing:
            return {each["key"]: Fingerprint(each["size"], *each["checksum"].split(":")) for each in listing["files"]}
        blobs = (each for each in listing["tree"] if each["type"] == "blob")
        return {each["path"]: Fingerprint(each["size"], "git", each["sha"]) for each in blobs}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{url}: not the list of checksums it was ({error!r}); please report it") from None


def _verify_contents(folder: Path, contents: Sequence[str], published: Mapping[str, Fingerprint]) -> None:
    """Refuse contents that differ from the published files, or have missing or additional files.

    Raises:
        MgclError: there is such a file; names the first.
    """
    expected = {path for path in published if path.split("/")[0] in contents}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for path in sorted(expected ^ {path for path in found if path.split("/")[0] in contents}):
        raise DataError(f"{folder / path}: {'missing, but' if path in expected else 'not'} among the published files")
    for path in Bar(sorted(expected), desc="checking", unit="file"):
        verify(folder / path, published[path])


def _unpack(packed: Path, folder: Path, archive: Archive) -> None:
    """Unpack an archive whose entries all stay inside the folder.

    Raises:
        DataError: the file is not an archive, is damaged, lacks some of the archive's contents, or an entry would
            leave the folder; names the entry.
    """
    try:
        if packed.name.endswith(".tar.gz"):
            _unpack_tar(packed, folder)
        else:
            _unpack_zip(packed, folder)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{packed}: not a whole {packed.name.rpartition('.')[2]} file ({error})") from None
    for name in archive.contents:
        if not (folder / archive.top / name).exists():
            raise DataError(f"{packed}: lacks {name}")


def _unpack_zip(packed: Path, folder: Path) -> None:
    with zipfile.ZipFile(packed) as zipped:
        entries = zipped.infolist()
        for entry in entries:
            path = PureWindowsPath(entry.filename)  # parses both kinds of slash, and drive letters
            if path.anchor or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16):
                raise DataError(f"{packed}: entry {entry.filename!r} leads out of the folder")
        for entry in Bar(entries, desc=f"unpacking {packed.name}", unit="file"):
            zipped.extract(entry, folder)


def _unpack_tar(packed: Path, folder: Path) -> None:
    """Unpack a tar file as a stream, since going back in a compressed file starts at its beginning."""
    with tarfile.open(packed, "r|gz") as stream:
        for entry in Bar(stream, desc=f"unpacking {packed.name}", unit="file"):
            path = PureWindowsPath(entry.name)
            if path.anchor or ".." in path.parts or not (entry.isfile() or entry.isdir()):
                raise DataError(f"{packed}: entry {entry.name!r} leads out of the folder")
            stream.extract(entry, folder, filter="data")

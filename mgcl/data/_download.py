"""Fetching a published data set: archives are downloaded, resumed, checked, unpacked and put in place."""

import shutil
import stat
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
    """A zip file that a data set is published as."""

    url: str
    checksums: str
    """Address of its publisher's list: a Zenodo record's files, or a commit's tree on GitHub."""
    contents: tuple[str, ...]
    """What is wanted of it: these files and folders are put under the data set's root."""
    top: str = ""
    """The folder inside the zip that holds them."""

    @property
    def file(self) -> str:
        """Its name on disk."""
        return self.url.rsplit("/", 1)[-1]


def fetch(archives: Sequence[Archive], root: Path) -> int:
    """Download, check and unpack what a folder does not hold yet.

    An archive counts as there once all its contents are. A download that was cut goes on where it stopped, in this
    call or the next; a zip that was put into the folder by hand is checked like one that was downloaded.

    Args:
        archives: of one data set.
        root: the data set's folder; made if need be.

    Returns:
        How many archives were not there.

    Raises:
        DataError: no answer, a wrong size or checksum (the bad file is removed), or a zip that cannot be trusted.
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
    """What a publisher lists: the files of a Zenodo record, or those of a commit by their path in it."""
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
    """Refuse files that differ from the published ones, are too many or too few.

    Raises:
        MgclError: names the first.
    """
    expected = {path for path in published if path.split("/")[0] in contents}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for path in sorted(expected ^ {path for path in found if path.split("/")[0] in contents}):
        raise DataError(f"{folder / path}: {'missing, but' if path in expected else 'not'} among the published files")
    for path in Bar(sorted(expected), desc="checking", unit="file"):
        verify(folder / path, published[path])


def _unpack(packed: Path, folder: Path, archive: Archive) -> None:
    """Unpack a zip whose entries all stay inside the folder.

    Raises:
        DataError: it is no zip, is damaged, lacks what is wanted, or an entry would leave the folder; names the entry.
    """
    try:
        with zipfile.ZipFile(packed) as zipped:
            entries = zipped.infolist()
            for entry in entries:
                path = PureWindowsPath(entry.filename)  # knows both kinds of slash, and drives
                if path.anchor or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16):
                    raise DataError(f"{packed}: entry {entry.filename!r} leads out of the folder")
            for entry in Bar(entries, desc=f"unpacking {packed.name}", unit="file"):
                zipped.extract(entry, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{packed}: not a whole zip file ({error})") from None
    for name in archive.contents:
        if not (folder / archive.top / name).exists():
            raise DataError(f"{packed}: lacks {name}")

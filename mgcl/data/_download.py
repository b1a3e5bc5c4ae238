"""Fetching a published data set: archives are downloaded, resumed, checked, unpacked and put in place."""

import hashlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PureWindowsPath

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util import Retry

from mgcl.errors import DataError
from mgcl.progress import Bar

_TIMEOUT = 60
"""Seconds without a byte."""
_CHUNK = 1 << 16
"""Bytes; what a cut can cost."""
_AGAIN = "run the command again"
_BUSY = Retry(
    total=None,
    connect=3,
    read=3,
    other=3,
    status=7,  # with this backoff about a minute: a server that is asked too often says so for that long
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.5,
    retry_after_max=300,
    raise_on_status=False,
)
_CUT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


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


@dataclass(frozen=True)
class Fingerprint:
    """What a publisher says of one file."""

    size: int
    kind: str
    """"md5", or "git": the SHA-1 that git knows a file by."""
    digest: str


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
    with _session() as session:
        for archive in wanted:
            try:
                root.mkdir(parents=True, exist_ok=True)
                _fetch_archive(session, archive, root)
            except requests.RequestException as error:
                raise DataError(_why(error, archive, root)) from None
            except OSError as error:
                raise DataError(f"{root}: {error}; make room or name another folder, and {_AGAIN}") from None
    return len(wanted)


def _session() -> requests.Session:
    session = requests.Session()
    patience = HTTPAdapter(max_retries=_BUSY)
    for scheme in ("https://", "http://"):
        session.mount(scheme, patience)
    session.headers["Accept-Encoding"] = "identity"  # or a length would not be the file's
    return session


def _why(error: requests.RequestException, archive: Archive, root: Path) -> str:
    reason = type(error).__name__ if error.response is None else _status(error.response.status_code)
    url = str(error.request.url) if error.request else archive.url
    by_hand = f"unpack {archive.url} by hand: {', '.join(archive.contents)} belongs in {root}"
    return f"{url}: {reason}; {_AGAIN} to go on where it stopped, or {by_hand}"


def _status(code: int) -> str:
    """A status as people know it: "HTTP 429: too many requests"."""
    known = code in HTTPStatus.__members__.values()
    return f"HTTP {code}: {HTTPStatus(code).phrase.lower()}" if known else f"HTTP {code}"


def _fetch_archive(session: requests.Session, archive: Archive, root: Path) -> None:
    published = _published(session, archive.checksums)
    packed, unpacked = root / archive.file, root / f"{archive.file}.unpacked"
    if not packed.exists():
        _download(session, archive.url, packed)
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        if archive.file in published:
            _verify(packed, published[archive.file])
        _unpack(packed, unpacked, archive)
        if archive.file not in published:
            _verify_contents(unpacked / archive.top, archive.contents, published)
    except DataError as error:
        packed.unlink()
        shutil.rmtree(unpacked, ignore_errors=True)
        raise DataError(f"{error}; {packed} is removed: {_AGAIN}") from None
    for name in archive.contents:
        if not (root / name).exists():
            (unpacked / archive.top / name).rename(root / name)
    shutil.rmtree(unpacked)
    packed.unlink()


def _published(session: requests.Session, url: str) -> dict[str, Fingerprint]:
    """What a publisher lists: the files of a Zenodo record, or those of a commit by their path in it."""
    answer = session.get(url, timeout=_TIMEOUT)
    answer.raise_for_status()
    if answer.content.lstrip()[:1] == b"<":
        raise DataError(
            f"{url}: a web page came in place of the list of checksums, as where a network asks one to sign in; open "
            f"the address in a browser, and {_AGAIN}"
        )
    try:
        listing = answer.json()
        if "files" in listing:
            return {each["key"]: Fingerprint(each["size"], *each["checksum"].split(":")) for each in listing["files"]}
        blobs = (each for each in listing["tree"] if each["type"] == "blob")
        return {each["path"]: Fingerprint(each["size"], "git", each["sha"]) for each in blobs}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{url}: not the list of checksums it was ({error!r}); please report it") from None


def _download(session: requests.Session, url: str, target: Path) -> None:
    """Download by way of a ``.part`` file; after a cut go on for as long as every try brings something."""
    part = target.with_name(f"{target.name}.part")
    while True:
        before = _size(part)
        try:
            _append(session, url, part)
        except _CUT:
            if _size(part) <= before:
                raise
        else:
            break
    part.replace(target)


def _append(session: requests.Session, url: str, part: Path) -> None:
    have = _size(part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # nothing is left to send: it was cut between its last byte and its new name
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        start = have if resumed else 0
        length = answer.headers.get("Content-Length")
        bar = tqdm(
            desc=part.stem,
            total=length and start + int(length),
            initial=start,
            unit="B",
            unit_scale=True,
            mininterval=1,
        )
        with part.open("ab" if resumed else "wb") as file, bar:
            for chunk in answer.iter_content(_CHUNK):
                bar.update(file.write(chunk))


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _verify(file: Path, expected: Fingerprint) -> None:
    """Refuse a file that is not the published one.

    Raises:
        DataError: its size or its checksum differs.
    """
    size = _size(file)
    if size != expected.size:
        raise DataError(f"{file}: {size:,} bytes, but {expected.size:,} are published")
    head = b"blob %d\0" % size if expected.kind == "git" else b""
    name = "sha1" if expected.kind == "git" else expected.kind
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.new(name, head, usedforsecurity=False)).hexdigest()
    if digest != expected.digest:
        raise DataError(
            f"{file}: checksum {expected.kind}:{digest}, but {expected.kind}:{expected.digest} is published"
        )


def _verify_contents(folder: Path, contents: Sequence[str], published: Mapping[str, Fingerprint]) -> None:
    """Refuse files that differ from the published ones, are too many or too few.

    Raises:
        DataError: names the first.
    """
    expected = {path for path in published if path.split("/")[0] in contents}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for path in sorted(expected ^ {path for path in found if path.split("/")[0] in contents}):
        raise DataError(f"{folder / path}: {'missing, but' if path in expected else 'not'} among the published files")
    for path in Bar(sorted(expected), desc="checking", unit="file"):
        _verify(folder / path, published[path])


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

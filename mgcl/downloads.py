"""Files from an address: tried again, resumed where they were cut, and checked against what their publisher says."""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util import Retry

from mgcl.errors import MgclError

AGAIN = "run the command again"
TIMEOUT = 60
"""Seconds without a byte."""
_CHUNK = 1 << 16
"""Bytes; what a cut can cost."""
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
class Fingerprint:
    """What a publisher says of one file."""

    size: int
    kind: str
    """A hash of hashlib's, or "git": the SHA-1 that git knows a file by."""
    digest: str


def session() -> requests.Session:
    """A session that is patient with a busy server."""
    made = requests.Session()
    patience = HTTPAdapter(max_retries=_BUSY)
    for scheme in ("https://", "http://"):
        made.mount(scheme, patience)
    made.headers["Accept-Encoding"] = "identity"  # or a length would not be the file's
    return made


def failure(error: requests.RequestException, url: str) -> str:
    """What went wrong, in words: "http://...: HTTP 429: too many requests".

    Args:
        error: of a request.
        url: that was wanted, where the error does not name one.
    """
    reason = type(error).__name__ if error.response is None else _status(error.response.status_code)
    asked = getattr(error.request, "url", None) or url
    return f"{asked}: {reason}"


def _status(code: int) -> str:
    known = code in HTTPStatus.__members__.values()
    return f"HTTP {code}: {HTTPStatus(code).phrase.lower()}" if known else f"HTTP {code}"


def download(session: requests.Session, url: str, target: Path) -> None:
    """Download by way of a ``.part`` file; after a cut go on for as long as every try brings something.

    Raises:
        requests.RequestException: no answer, or a refusal.
    """
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
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
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


def verify(file: Path, expected: Fingerprint) -> None:
    """Refuse a file that is not the published one.

    Raises:
        MgclError: its size or its checksum differs.
    """
    size = _size(file)
    if size != expected.size:
        raise MgclError(f"{file}: {size:,} bytes, but {expected.size:,} are published")
    head = b"blob %d\0" % size if expected.kind == "git" else b""
    name = "sha1" if expected.kind == "git" else expected.kind
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.new(name, head, usedforsecurity=False)).hexdigest()
    if digest != expected.digest:
        raise MgclError(
            f"{file}: checksum {expected.kind}:{digest}, but {expected.kind}:{expected.digest} is published"
        )

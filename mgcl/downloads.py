"""Downloads of files: retried, resumed after an interruption, and verified against the published size and digest."""

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
"""Seconds without a byte after which a request fails."""
_CHUNK = 1 << 16
"""Bytes per write; an interruption loses at most this many."""
_BUSY = Retry(
    total=None,
    connect=3,
    read=3,
    other=3,
    status=7,  # with this backoff about a minute, for which a server with a rate limit refuses requests
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.5,
    retry_after_max=300,
    raise_on_status=False,
)
_CUT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


@dataclass(frozen=True)
class Fingerprint:
    """Published size and digest of one file."""

    size: int
    kind: str
    """Name of a hash in hashlib, or "git" for the SHA-1 of git's blob object."""
    digest: str


def session() -> requests.Session:
    """Session that retries requests while a server is busy."""
    made = requests.Session()
    patience = HTTPAdapter(max_retries=_BUSY)
    for scheme in ("https://", "http://"):
        made.mount(scheme, patience)
    made.headers["Accept-Encoding"] = "identity"  # otherwise Content-Length would be that of the compressed body
    return made


def failure(error: requests.RequestException, url: str) -> str:
    """Describe a failed request: "http://...: HTTP 429: too many requests".

    Args:
        error: error of the request.
        url: the requested address, used if the error does not name one.
    """
    reason = type(error).__name__ if error.response is None else _status(error.response.status_code)
    asked = getattr(error.request, "url", None) or url
    return f"{asked}: {reason}"


def _status(code: int) -> str:
    known = code in HTTPStatus.__members__.values()
    return f"HTTP {code}: {HTTPStatus(code).phrase.lower()}" if known else f"HTTP {code}"


def download(session: requests.Session, url: str, target: Path) -> None:
    """Download to a ``.part`` file, then rename it; an interrupted download is resumed while every try adds bytes.

    Raises:
        requests.RequestException: the server does not answer, or refuses the request.
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
            return  # the file is complete: it was interrupted between its last byte and the renaming
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
    """Check that a file is the published one.

    Raises:
        MgclError: its size or its digest differs.
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

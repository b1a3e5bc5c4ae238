"""Audio files at addresses, which are fetched whole when they are decoded, and not kept."""

import threading

import requests

from mgcl.downloads import AGAIN, TIMEOUT, failure, session
from mgcl.errors import DataError, MgclError

_GONE = (requests.codes.not_found, requests.codes.gone)
_LARGEST = 1 << 28
"""Bytes of a file above which it is no clip."""
_OWN = threading.local()
"""Session of each thread that decodes: connections are used again, and sessions are not for several threads."""


def is_url(path: str) -> bool:
    """Whether a path is an address."""
    return path.startswith(("http://", "https://"))


def fetched(url: str) -> bytes:
    """Content of a file at an address.

    Raises:
        DataError: there is no such file, so that the clip can be left out; or it is too large.
        MgclError: the server does not answer, or refuses the request, as it might for all other clips.
    """
    if not hasattr(_OWN, "session"):
        _OWN.session = session()
    try:
        with _OWN.session.get(url, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in _GONE:
                raise DataError(f"{url}: is not there (HTTP {answer.status_code}); remove its row, or leave it out")
            answer.raise_for_status()
            content: bytes = answer.raw.read(_LARGEST + 1)
            promised = answer.headers.get("Content-Length")
    except requests.RequestException as error:
        raise MgclError(f"{failure(error, url)}; {AGAIN}: it goes on where it was") from None
    if len(content) > _LARGEST:
        raise DataError(f"{url}: is larger than {_LARGEST >> 20} MiB; cut it, and name its parts")
    if promised is not None and len(content) < int(promised):
        raise MgclError(
            f"{url}: ended after {len(content):,} of {int(promised):,} bytes; {AGAIN}: it goes on where it was"
        )
    return content

"""Audio files at addresses, which are fetched whole when they are decoded, and not kept."""

import threading

import requests

from mgcl.downloads import AGAIN, TIMEOUT, failure, session
from mgcl.errors import DataError, MgclError

_GONE = (requests.codes.not_found, requests.codes.gone)
_LARGEST = 1 << 28
"""Bytes of a file above which it is no clip."""
_CHUNK = 1 << 16
_TRIES = 3
_OWN = threading.local()
"""Session of each thread that decodes: connections are used again, and sessions are not for several threads."""


def is_url(path: str) -> bool:
    """Whether a path is an address."""
    return path.startswith(("http://", "https://"))


def fetched(url: str) -> bytes:
    """Content of a file at an address. A connection that breaks is opened again, ``_TRIES`` times in all.

    Raises:
        DataError: there is no such file, or it is too large, so that the clip can be left out.
        MgclError: the server does not answer, or refuses the request, as it might for all other clips.
    """
    tries = 0
    while True:
        try:
            return _content(url)
        except requests.RequestException as error:
            tries += 1
            if error.response is not None or tries == _TRIES:
                raise MgclError(f"{failure(error, url)}; {AGAIN}: it goes on where it was") from None


def _content(url: str) -> bytes:
    if not hasattr(_OWN, "session"):
        _OWN.session = session()
    content = bytearray()
    with _OWN.session.get(url, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code in _GONE:
            raise DataError(f"{url}: is not there (HTTP {answer.status_code}); mend the address, or leave it out")
        answer.raise_for_status()
        for chunk in answer.iter_content(_CHUNK):  # it raises an error if fewer bytes come than the server announced
            content += chunk
            if len(content) > _LARGEST:
                raise DataError(f"{url}: is larger than {_LARGEST >> 20} MiB; cut it, and name its parts")
    return bytes(content)

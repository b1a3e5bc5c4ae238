"""Addresses and sentences without the passwords and tokens that an address may hold."""

import re
from urllib.parse import unquote

_USER = re.compile(r"(://[^\s/@:]*):.*@", re.DOTALL)
_USER_IN_TEXT = re.compile(r"(://[^\s/@:]*):\S*@")
_TOKEN = re.compile(r"(https?://)[^\s/@:]+@")
_NAMES = r"[\w.%-]*(?:pass|pwd|token|secret|key|sig|credential|odbc_connect)[\w.%-]*"
_QUERY = re.compile(rf"([?&;]{_NAMES}=)[^\s&;'\"`)]+", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s/@:]*:(.*)@", re.DOTALL)


def masked(address: str) -> str:
    """An address with ``***`` for its password, for a token in place of a user, and for secrets in its query."""
    return _QUERY.sub(r"\1***", _TOKEN.sub(r"\1***@", _USER.sub(r"\1:***@", address)))


def without_user(address: str) -> str:
    """An address that anybody may be given: no user, no password, no secrets in its query."""
    return masked(re.sub(r"://.*@", "://", address, flags=re.DOTALL))


def scrubbed(text: str, address: str = "") -> str:
    """A sentence, e.g. another program's, with every address in it masked.

    Args:
        text: that may quote addresses.
        address: whose password is masked wherever it stands, alone or decoded too.
    """
    text = text.replace(address, masked(address)) if address else text
    if found := _PASSWORD.search(address):
        for secret in {found[1], unquote(found[1])} - {""}:
            text = text.replace(secret, "***")
    return _QUERY.sub(r"\1***", _TOKEN.sub(r"\1***@", _USER_IN_TEXT.sub(r"\1:***@", text)))

"""Removal of the passwords and tokens of addresses, from addresses and from sentences that quote them."""

import re
from urllib.parse import unquote

_USER = re.compile(r"(://[^\s/@:]*):.*@", re.DOTALL)
_USER_IN_TEXT = re.compile(r"(://[^\s/@:]*):\S*@")
_TOKEN = re.compile(r"(https?://)[^\s/@:]+@")
_NAMES = r"[\w.%-]*(?:pass|pwd|token|secret|key|sig|credential|odbc_connect)[\w.%-]*"
_QUERY = re.compile(rf"([?&;]{_NAMES}=)[^\s&;'\"`)]+", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s/@:]*:(.*)@", re.DOTALL)


def masked(address: str) -> str:
    """Replace by ``***`` the password of an address, a token in place of a user, and secrets in its query."""
    return _QUERY.sub(r"\1***", _TOKEN.sub(r"\1***@", _USER.sub(r"\1:***@", address)))


def without_user(address: str) -> str:
    """Remove user and password from an address, and mask secrets in its query, so that it can be published."""
    return masked(re.sub(r"://.*@", "://", address, flags=re.DOTALL))


def scrubbed(text: str, address: str = "") -> str:
    """Mask every address in a sentence, e.g. in the message of another program.

    Args:
        text: sentence that may quote addresses.
        address: an address whose password is masked everywhere in the text, also alone or decoded.
    """
    text = text.replace(address, masked(address)) if address else text
    if found := _PASSWORD.search(address):
        for secret in {found[1], unquote(found[1])} - {""}:
            text = text.replace(secret, "***")
    return _QUERY.sub(r"\1***", _TOKEN.sub(r"\1***@", _USER_IN_TEXT.sub(r"\1:***@", text)))

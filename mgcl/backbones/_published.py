"""Weights as their publishers have them: where they are, what they are checked by, and where copies of them lie here.

What ``mgcl weights fetch`` fetches lies in ``weights`` under ``MGCL_HOME``: a file of an address in a folder of its
backbone's name, files of the Hugging Face hub in ``hub``, laid out as the hub's own cache, which is looked into too.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mgcl.errors import BackboneError
from mgcl.home import home
from mgcl.pretrained import hub_copy


@dataclass(frozen=True)
class UrlFile:
    """Weights that are one file at an address."""

    url: str
    bytes: int
    sha256: str
    licence: str

    @property
    def name(self) -> str:
        """Of the file, and what messages call it."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class HubFiles:
    """Files of one repository of the Hugging Face hub."""

    repository: str
    """OWNER/NAME."""
    files: tuple[str, ...]
    licence: str
    bytes: int | None = None
    """Of all files; None: the hub is asked."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Of files that are known here; of others the hub's own digest is taken, where it has one."""

    @property
    def name(self) -> str:
        """What messages call them."""
        return self.repository


Published = UrlFile | HubFiles


def kept(backbone: str, weights: UrlFile) -> Path:
    """Where a fetched file lies; it need not be there."""
    return home() / "weights" / backbone / weights.name


def copy_of(backbone: str, weights: Published) -> Path | None:
    """The file, or the folder of files, on this machine; None: it, or one of them, is not here."""
    if isinstance(weights, UrlFile):
        file = kept(backbone, weights)
        return file if file.is_file() else None
    copies = [hub_copy(weights.repository, name) for name in weights.files]
    folders = {each.parent for each in copies if each}
    return folders.pop() if len(folders) == 1 and all(copies) else None


def found(backbone: str, weights: Published, variable: str) -> Path:
    """The file, or the folder of files, on this machine.

    Args:
        backbone: whose weights.
        weights: that it needs.
        variable: of the environment, that names others.

    Raises:
        BackboneError: it is not here; names the command that fetches it.
    """
    copy = copy_of(backbone, weights)
    if copy is None:
        raise BackboneError(
            f"the backbone {backbone} needs {weights.name}, which is not here; run `mgcl weights fetch {backbone}`, or "
            f"set {variable} to where it lies"
        )
    return copy


def refuse_changed(file: Path, weights: UrlFile) -> None:
    """See whether a file that has a published file's name is that file.

    Raises:
        BackboneError: it is not.
    """
    if file.name != weights.name:
        return
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != weights.sha256:
        raise BackboneError(
            f"{file}: sha256 {digest}, and the published {weights.name} has {weights.sha256}; fetch it again, or give "
            "weights of your own another name"
        )

"""Weights as their publishers have them: what a backbone's file says of its own, and copies of them on this machine.

What ``mgcl weights fetch`` fetches lies in ``weights`` under ``MGCL_HOME``: a file of an address in a folder of its
backbone's name, files of the Hugging Face hub in ``hub``, laid out as the hub's own cache, which is looked into too.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

from mgcl.downloads import AGAIN, Fingerprint, download, failure, session, verify
from mgcl.errors import BackboneError, MgclError
from mgcl.home import home
from mgcl.pretrained import HUB_ERRORS, MissingWeightsError, hub_copy, hub_folder


@dataclass(frozen=True)
class UrlFile:
    """Weights that are one file at an address."""

    url: str
    bytes: int
    sha256: str
    licence: str

    @property
    def name(self) -> str:
        """Of the file; what messages call it."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def fingerprint(self) -> Fingerprint:
        """What the file is checked by."""
        return Fingerprint(self.bytes, "sha256", self.sha256)


@dataclass(frozen=True)
class HubFiles:
    """Files of one repository of the Hugging Face hub."""

    name: str
    """OWNER/NAME; what messages call them."""
    files: tuple[str, ...]
    licence: str
    bytes: int | None = None
    """Of all files; None: the hub says it when they are fetched."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Of the files whose digest is known here; the others are checked by the hub's own."""


Published = UrlFile | HubFiles


def copy_of(backbone: str, weights: Published) -> Path | None:
    """The file, or the folder of the files, on this machine; None: it, or one of them, is not here."""
    if isinstance(weights, UrlFile):
        return file if (file := _kept(backbone, weights)).is_file() else None
    copies = [hub_copy(weights.name, name) for name in weights.files]
    folders = {each.parent for each in copies if each}
    return folders.pop() if len(folders) == 1 and all(copies) else None


def needed(backbone: str, weights: Published, *, variable: str) -> Path:
    """The file, or the folder of the files, on this machine.

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
    if file.name == weights.name:
        try:
            verify(file, weights.fingerprint)
        except MgclError as error:
            raise BackboneError(f"{error}; fetch it again, or give weights of your own another name") from None


@contextmanager
def fetchable(backbone: str, published: Sequence[Published]) -> Iterator[None]:
    """An error of a missing file of the hub names the command that fetches it, where it is one of ``published``.

    Raises:
        BackboneError: such an error.
    """
    try:
        yield
    except MissingWeightsError as error:
        if error.repository in {each.name for each in published}:
            raise BackboneError(f"{error}; or run `mgcl weights fetch {backbone}` where it does") from None
        raise


def fetch(backbone: str, weights: Published) -> Path:
    """Download and check what is not here yet; a download that was cut is resumed.

    Returns:
        The file, or the folder of the files.

    Raises:
        MgclError: no answer, or a wrong size or digest: then the bad file is removed.
    """
    if copy := copy_of(backbone, weights):
        return copy
    if isinstance(weights, UrlFile):
        return _fetch_url(_kept(backbone, weights), weights)
    files = [_fetch_hub(weights, name) for name in weights.files]
    return files[0].parent


def size_of(weights: Published) -> int:
    """Bytes of all files; the hub is asked where they are not known here.

    Raises:
        MgclError: the hub does not answer.
    """
    if isinstance(weights, UrlFile):
        return weights.bytes
    return weights.bytes or sum(_at_hub(weights, name).size for name in weights.files)


def _kept(backbone: str, weights: UrlFile) -> Path:
    return home() / "weights" / backbone / weights.name


def _fetch_url(target: Path, weights: UrlFile) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fetched = target.with_name(f"{target.name}.unchecked")
        with session() as patient:
            download(patient, weights.url, fetched)
    except requests.RequestException as error:
        by_hand = f"put {weights.url} at {target} by hand"
        raise MgclError(f"{failure(error, weights.url)}; {AGAIN} to go on where it stopped, or {by_hand}") from None
    _verify_or_remove(fetched, weights.fingerprint)
    return fetched.replace(target)


def _fetch_hub(weights: HubFiles, name: str) -> Path:
    expected = _at_hub(weights, name)
    try:
        file = Path(hf_hub_download(weights.name, name, cache_dir=hub_folder()))
    except HUB_ERRORS as error:
        raise _no_hub(weights, name, error) from None
    _verify_or_remove(file, expected)
    return file


def _at_hub(weights: HubFiles, name: str) -> Fingerprint:
    """What a file is checked by: the digest that is known here, else the hub's."""
    try:
        there = get_hf_file_metadata(hf_hub_url(weights.name, name), timeout=10)
    except HUB_ERRORS as error:
        raise _no_hub(weights, name, error) from None
    digest = weights.sha256.get(name, there.etag or "")
    # The hub's tag of a large file is its SHA-256, that of a small one git's.
    return Fingerprint(there.size or 0, "sha256" if len(digest) == 64 else "git", digest)


def _no_hub(weights: HubFiles, name: str, error: Exception) -> MgclError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return MgclError(
        f"{weights.name}/{name}: the Hugging Face hub does not give it ({reason}); {AGAIN} where it does, or there "
        f"`hf download {weights.name} {' '.join(weights.files)}`, and set HF_HOME to that cache"
    )


def _verify_or_remove(file: Path, expected: Fingerprint) -> None:
    try:
        verify(file, expected)
    except MgclError as error:
        file.resolve().unlink()  # in the hub's cache it is a link
        file.unlink(missing_ok=True)
        raise MgclError(f"{error}; it is removed: {AGAIN}") from None

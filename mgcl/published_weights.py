"""Published weights: their records in the files of the backbones, and the copies on this machine.

``mgcl weights fetch`` stores them in ``weights`` under ``MGCL_HOME``: the file of an address in a folder of its
backbone's name, files of the Hugging Face hub in ``hub``, in the layout of the hub's own cache. Copies in the hub's own
cache are used too.
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
    """Weights published as one file at an address."""

    url: str
    bytes: int
    sha256: str
    licence: str

    @property
    def name(self) -> str:
        """Name of the file, used in messages."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def fingerprint(self) -> Fingerprint:
        """Size and digest that the file is verified against."""
        return Fingerprint(self.bytes, "sha256", self.sha256)


@dataclass(frozen=True)
class HubFiles:
    """Files of one repository of the Hugging Face hub."""

    name: str
    """Repository, OWNER/NAME, used in messages."""
    files: tuple[str, ...]
    licence: str
    bytes: int | None = None
    """Size of all files; None: the hub reports it when they are fetched."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """File name -> digest, if known here; other files are verified against the hub's own digest."""


Published = UrlFile | HubFiles


def copy_of(backbone: str, weights: Published) -> Path | None:
    """Path of the local file, or of the folder of the local files; None if a file is missing."""
    if isinstance(weights, UrlFile):
        return file if (file := _kept(backbone, weights)).is_file() else None
    copies = [hub_copy(weights.name, name) for name in weights.files]
    folders = {each.parent for each in copies if each}
    return folders.pop() if len(folders) == 1 and all(copies) else None


def needed(backbone: str, weights: Published, *, variable: str) -> Path:
    """Path of the local file, or of the folder of the local files.

    Args:
        backbone: name of the backbone.
        weights: published weights that the backbone needs.
        variable: environment variable with which a user names other weights, for the message.

    Raises:
        BackboneError: a file is missing; the message names the command that fetches it.
    """
    copy = copy_of(backbone, weights)
    if copy is None:
        raise BackboneError(
            f"the backbone {backbone} needs {weights.name}, which is not here; run `mgcl weights fetch {backbone}`, or "
            f"set {variable} to where it lies"
        )
    return copy


def refuse_changed(file: Path, weights: UrlFile) -> None:
    """Check that a file with the name of a published file has its content; files of other names are not checked.

    Raises:
        BackboneError: the content differs.
    """
    if file.name == weights.name:
        try:
            verify(file, weights.fingerprint)
        except MgclError as error:
            raise BackboneError(f"{error}; fetch it again, or give weights of your own another name") from None


@contextmanager
def fetchable(backbone: str, published: Sequence[Published]) -> Iterator[None]:
    """Add the fetching command to the error of a missing file of the hub, if its repository is in ``published``.

    Raises:
        BackboneError: a file of the hub is missing.
    """
    try:
        yield
    except MissingWeightsError as error:
        if error.repository in {each.name for each in published}:
            raise BackboneError(f"{error}; or run `mgcl weights fetch {backbone}` where it does") from None
        raise


def fetch(backbone: str, weights: Published) -> Path:
    """Download and verify missing files; an interrupted download is resumed.

    Returns:
        Path of the file, or of the folder of the files.

    Raises:
        MgclError: the server does not answer, or size or digest are wrong; a wrong file is removed.
    """
    if copy := copy_of(backbone, weights):
        return copy
    if isinstance(weights, UrlFile):
        return _fetch_url(_kept(backbone, weights), weights)
    files = [_fetch_hub(weights, name) for name in weights.files]
    return files[0].parent


def size_of(weights: Published) -> int:
    """Size of all files in bytes, requested from the hub if it is not known here.

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
    """Size and digest that a file is verified against: the digest known here, otherwise the hub's."""
    try:
        there = get_hf_file_metadata(hf_hub_url(weights.name, name), timeout=10)
    except HUB_ERRORS as error:
        raise _no_hub(weights, name, error) from None
    digest = weights.sha256.get(name, there.etag or "")
    # The hub's etag is the SHA-256 of a large file, and git's SHA-1 of a small one.
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
        file.resolve().unlink()  # the hub's cache links to the file: remove its target too
        file.unlink(missing_ok=True)
        raise MgclError(f"{error}; it is removed: {AGAIN}") from None

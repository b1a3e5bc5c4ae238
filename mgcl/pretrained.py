"""Models from the Hugging Face hub or a folder in its layout, loaded completely or refused with a one-line error."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import (
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever of httpx's versions it uses
from huggingface_hub.utils.tqdm import enable_progress_bars

from mgcl.errors import BackboneError, MgclError
from mgcl.home import home

HUB_ERRORS = (OSError, httpx.HTTPError)
"""Errors that the hub's library raises if a file is not available."""


class MissingWeightsError(BackboneError):
    """A file of the Hugging Face hub is not on this machine, and the hub does not provide it.

    Attributes:
        repository: repository of the file, OWNER/NAME.
    """

    def __init__(self, repository: str, message: str) -> None:
        super().__init__(message)
        self.repository = repository


def load_model(kind: Any, model: str, device: str, *, unused: str | None = None) -> Any:
    """Load a model with frozen weights, in evaluation mode.

    Args:
        kind: an Auto class of transformers.
        model: an id on the hub, or a folder.
        device: a torch device.
        unused: prefix of the names of weights that the caller does not need; these may be missing.

    Raises:
        MgclError: the model cannot be loaded, or lacks weights, which transformers would initialise at random.
    """
    _be_there(model)
    with quietly():
        try:
            loaded, about = kind.from_pretrained(model, output_loading_info=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise _refusal(model, error) from None
    missing = [key for key in about["missing_keys"] if unused is None or not key.startswith(unused)]
    wrong = sorted(missing) + sorted(str(key) for key, *_ in about["mismatched_keys"])
    if wrong:
        raise MgclError(
            f"{model}: {len(wrong)} weights are missing or of another shape ({', '.join(wrong[:10])}); fetch it again, "
            "or choose another model"
        )
    return loaded.to(device).eval().requires_grad_(False)


def load_part(kind: Any, model: str) -> Any:
    """Load the configuration, tokenizer or processor of a model.

    Raises:
        MgclError: it cannot be loaded, or its tokenizer has no words: transformers makes an empty tokenizer if its
            file is missing.
    """
    from transformers import PreTrainedTokenizerBase  # takes seconds to import, and looking for files needs none of it

    with quietly():
        try:
            part = kind.from_pretrained(model)
        except (OSError, ValueError, RuntimeError) as error:
            raise _refusal(model, error) from None
    tokenizer = getattr(part, "tokenizer", part)
    if isinstance(tokenizer, PreTrainedTokenizerBase) and "dog" not in tokenizer.decode(tokenizer.encode("a dog")):
        raise MgclError(f"{model}: its tokenizer cannot read 'a dog', a file of it is missing; fetch the model again")
    return part


def hub_folder() -> Path:
    """Folder in which ``mgcl weights fetch`` stores files of the hub, in the layout of the hub's own cache."""
    return home() / "weights" / "hub"


def hub_copy(repository: str, name: str) -> Path | None:
    """Path of a local copy of a file of the Hugging Face hub, fetched or cached; None if there is no copy."""
    for cache in (hub_folder(), None):
        found = try_to_load_from_cache(repository, name, cache_dir=cache)
        if isinstance(found, str):
            return Path(found)
    return None


def hub_file(repository: str, name: str, *, fetch: str | None = None) -> Path:
    """Path of a file of the Hugging Face hub: the local copy if there is one, otherwise downloaded.

    Args:
        repository: OWNER/NAME.
        name: name of the file.
        fetch: files that the error message advises to fetch: "" for all of the repository, None for this file.

    Raises:
        BackboneError: there is no local copy, and the hub does not provide the file.
    """
    try:
        if copy := hub_copy(repository, name):
            return copy
        # Without a network this fails at once, whereas a download would retry six times over 24 seconds.
        get_hf_file_metadata(hf_hub_url(repository, name), timeout=10)
        return Path(hf_hub_download(repository, name))
    except HFValidationError:
        raise BackboneError(f"{repository}: neither here nor an OWNER/REPOSITORY on the hub; give either") from None
    except HUB_ERRORS as error:
        reason = str(error).splitlines()[0]
        command = f"hf download {repository} {name if fetch is None else fetch}".rstrip()
        raise MissingWeightsError(
            repository,
            f"{repository}/{name}: neither here nor in the Hugging Face cache, and the hub does not give it "
            f"({reason}); run `{command}` where it does, and set HF_HOME to that cache",
        ) from None


def pinned_folder(name: str, files: Sequence[str] = ("*.json", "*.safetensors")) -> Path:
    """Folder of a repository of the Hugging Face hub at one commit, from the cache or downloaded.

    Args:
        name: OWNER/NAME@COMMIT; the commit has 40 hex digits, so that the content stays the same.
        files: patterns of the files that are needed.

    Raises:
        BackboneError: the name has another form, or there is no local copy and the hub does not provide it.
    """
    found = re.fullmatch(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})", name)
    if found is None:
        if re.fullmatch(r"[\w.-]+/[\w.-]+(@.*)?", name) is None:
            raise BackboneError(f"{name}: neither a folder nor OWNER/NAME@COMMIT of the Hugging Face hub; give either")
        address = f"https://huggingface.co/{name.partition('@')[0]}"
        raise BackboneError(
            f"{name}: neither a folder nor a pinned model; name its commit, {name.partition('@')[0]}@COMMIT, so that "
            f"it stays the same: its 40 hex digits are the first word that `git ls-remote {address} HEAD` prints"
        )
    repository, commit = found.groups()
    try:
        return Path(snapshot_download(repository, revision=commit, allow_patterns=list(files), etag_timeout=10))
    except (*HUB_ERRORS, HFValidationError) as error:
        with suppress(*HUB_ERRORS, HFValidationError):  # the library looks there only if no hub answers at all
            return Path(snapshot_download(repository, revision=commit, local_files_only=True))
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackboneError(
            f"{name}: not in the Hugging Face cache, and the hub does not give it ({reason}); check name and commit, "
            f"log in with `hf auth login` if it is gated, or run `hf download {repository} --revision {commit}` where "
            "there is a network, and set HF_HOME to that cache"
        ) from None


def usable(device: str) -> str:
    """Return the name of a torch device after checking that this machine has it.

    Raises:
        MgclError: this machine lacks the device, or there is no such device.
    """
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise MgclError(f"`device` {device}: torch cannot use it here ({reason}); choose cpu") from None
    return device


@contextmanager
def quietly() -> Iterator[None]:
    """Silence the hints and loading bars of transformers; the hub's download bar stays."""
    from transformers.utils import logging as transformers_logging

    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if bars:
        enable_progress_bars()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _be_there(model: str) -> None:
    """Check that a model is a folder or on the hub; for a missing one transformers would retry for most of a minute."""
    if not Path(model).is_dir():
        hub_file(model, "config.json", fetch="")


def _refusal(model: str, error: Exception) -> MgclError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return MgclError(
        f"{model}: cannot be loaded ({reason}); give a model's id on the Hugging Face hub, with a network or its files "
        "in HF_HOME, or a folder that holds it"
    )

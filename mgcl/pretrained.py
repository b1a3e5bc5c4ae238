"""Models from the Hugging Face hub, or a folder in its layout: loaded whole or refused in one line, without chatter."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever of httpx's versions it uses
from huggingface_hub.utils.tqdm import enable_progress_bars
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from mgcl.errors import BackboneError, MgclError
from mgcl.home import home

HUB_ERRORS = (OSError, httpx.HTTPError)
"""What the hub's library raises where a file cannot be had."""


class MissingWeightsError(BackboneError):
    """A file of the Hugging Face hub is neither here nor to be had.

    Attributes:
        repository: OWNER/NAME.
    """

    def __init__(self, repository: str, message: str) -> None:
        super().__init__(message)
        self.repository = repository


def load_model(kind: Any, model: str, device: str, *, unused: str | None = None) -> Any:
    """A model's weights, frozen.

    Args:
        kind: an Auto class of transformers.
        model: an id on the hub, or a folder.
        device: a torch device.
        unused: how the names begin of weights that the caller does not need: these may be missing.

    Raises:
        MgclError: it cannot be loaded, or lacks weights: transformers would draw those at random.
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
    """A model's configuration, tokenizer or processor.

    Raises:
        MgclError: it cannot be loaded, or its tokenizer knows no words: transformers makes an empty one where its
            file is missing.
    """
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
    """Where ``mgcl weights fetch`` keeps files of the hub, laid out as the hub's own cache."""
    return home() / "weights" / "hub"


def hub_copy(repository: str, name: str) -> Path | None:
    """A file of the Hugging Face hub that is on this machine, fetched or cached; None: it is not here."""
    for cache in (hub_folder(), None):
        found = try_to_load_from_cache(repository, name, cache_dir=cache)
        if isinstance(found, str):
            return Path(found)
    return None


def hub_file(repository: str, name: str, *, fetch: str | None = None) -> Path:
    """A file of the Hugging Face hub, from its cache if it is there.

    Args:
        repository: OWNER/NAME.
        name: of the file.
        fetch: the files that the message says to fetch, "" for all of the repository; None: this one.

    Raises:
        BackboneError: it is not cached, and the hub does not give it.
    """
    try:
        if copy := hub_copy(repository, name):
            return copy
        # Asked first, because a download asks six times, over 24 seconds, where there is no network.
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


def usable(device: str) -> str:
    """A torch device, if this machine has it.

    Raises:
        MgclError: it has not, or there is no such device.
    """
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise MgclError(f"`device` {device}: torch cannot use it here ({reason}); choose cpu") from None
    return device


@contextmanager
def quietly() -> Iterator[None]:
    """Transformers prints no hints and no loading bars; the hub's bar of a download stays."""
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
    """A folder, or on the hub: else transformers asks it for most of a minute."""
    if not Path(model).is_dir():
        hub_file(model, "config.json", fetch="")


def _refusal(model: str, error: Exception) -> MgclError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return MgclError(
        f"{model}: cannot be loaded ({reason}); give a model's id on the Hugging Face hub, with a network or its files "
        "in HF_HOME, or a folder that holds it"
    )

"""Models from the Hugging Face hub, or a folder in its layout: loaded whole or refused in one line, without chatter."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from huggingface_hub.utils.tqdm import enable_progress_bars
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from mgcl.errors import MgclError


def load_model(kind: Any, model: str, device: str) -> Any:
    """A model's weights, frozen.

    Args:
        kind: an Auto class of transformers.
        model: an id on the hub, or a folder.
        device: a torch device.

    Raises:
        MgclError: it cannot be loaded, or lacks weights: transformers would draw those at random.
    """
    with quietly():
        try:
            loaded, about = kind.from_pretrained(model, output_loading_info=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise _refusal(model, error) from None
    wrong = sorted(about["missing_keys"]) + sorted(str(key) for key, *_ in about["mismatched_keys"])
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


def usable(device: str) -> str:
    """A torch device, if this machine has it.

    Raises:
        MgclError: it has not, or there is no such device.
    """
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise MgclError(f"--device {device}: torch cannot use it here ({reason}); choose cpu") from None
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


def _refusal(model: str, error: Exception) -> MgclError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return MgclError(
        f"{model}: cannot be loaded ({reason}); give a model's id on the Hugging Face hub, with a network or its files "
        "in HF_HOME, or a folder that holds it"
    )

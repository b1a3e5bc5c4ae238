"""Find a checkpoint, read it without running code from it, and load it key by key."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mgcl.errors import BackboneError
from mgcl.pretrained import hub_file


def chosen(backbone: str, given: str | None, default: str) -> str:
    """Return the weights to load: the given ones, else those of ``MGCL_<BACKBONE>_WEIGHTS``, else the default."""
    return given or os.environ.get(f"MGCL_{backbone.upper()}_WEIGHTS") or default


def checkpoint_file(weights: str) -> Path:
    """Return the path of a checkpoint that is one file; a file on the hub is downloaded if need be.

    Args:
        weights: a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub.

    Raises:
        BackboneError: ``weights`` is neither, is a folder, or the hub cannot be reached.
    """
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        told = "choose the backbone transformers_clap" if (path / "config.json").is_file() else "name a file in it"
        raise BackboneError(f"{weights}: is a folder, where the weights are one file; {told}")
    owner, _, rest = weights.partition("/")
    repository, _, name = rest.partition("/")
    if path.is_absolute() or not name:
        raise BackboneError(f"{weights}: no such file; give a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub")
    return hub_file(f"{owner}/{repository}", name)


def read_checkpoint(file: Path, *, allowed: Sequence[Any] = ()) -> Mapping[str, Any]:
    """Read a file of ``torch.save`` with ``weights_only``: tensors and plain values, no code.

    Args:
        file: the checkpoint.
        allowed: further classes that the checkpoint may hold.

    Raises:
        BackboneError: the file was not written by ``torch.save``, or holds objects of other classes.
    """
    if said := _no_checkpoint(file):
        raise BackboneError(f"{file}: {said}")
    try:
        with torch.serialization.safe_globals([*_NUMPY, *allowed]):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types, depending on what the unpickler meets
        raise BackboneError(f"{file}: {_why_unread(str(error) or type(error).__name__)}") from None
    if not isinstance(content, Mapping):
        raise BackboneError(f"{file}: holds a {type(content).__name__}, where a checkpoint is a dictionary")
    return content


# Checkpoints often hold epochs, scores and tables as numpy objects. Those of numbers alone are allowed, under either
# of numpy's module names.
_NUMPY: tuple[Any, ...] = (
    *(
        (made.__reduce__()[0], f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for made, name in ((np.float64(0), "scalar"), (np.zeros(0), "_reconstruct"))
    ),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in "?" + np.typecodes["AllInteger"] + np.typecodes["AllFloat"]},
)
_FAMILIES = {
    "frame_proj.": "MGA-CLAP's; choose the backbone mga_clap",
    "audio_branch.": "LAION-CLAP's; choose the backbone laion_clap",
    "audio_encoder.": "MS-CLAP's; choose the backbone ms_clap",
    "audio_model.": "a CLAP's of transformers; choose the backbone transformers_clap, with the folder that holds it",
    "clap.": "clapcap's, which writes captions; choose the captioner msclap",
}
"""Beginning of a checkpoint's keys -> the model that the checkpoint belongs to."""
_OBJECT = re.compile(r"GLOBAL ([\w.]+)|[Uu]nsupported (?:global|class) ([\w.]+)")


def _no_checkpoint(file: Path) -> str | None:
    """Describe a file that torch cannot have written, and what to do. None: torch may have written it."""
    with file.open("rb") as content:
        start = content.read(200)
    if not start:
        return "is empty (0 bytes); fetch it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights; run `git lfs pull` in that clone, or download the file itself"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not weights (of a sign-in or an error?); download the file itself, signed in"
    if start[:1] == b"{" or start[8:9] == b"{":
        return "is json or safetensors, not what torch.save wrote; a folder that holds it is read by transformers_clap"
    return None


def _why_unread(said: str) -> str:
    """Torch's reason why a file cannot be read, without torch's advice to switch the check off."""
    found = _OBJECT.search(said)
    if found:
        name = found.group(1) or found.group(2)
        return (
            f"holds a {name} beside its tensors, which is not loaded because it could run code; where you trust the "
            "file, load it with weights_only=False and save its state_dict alone with torch.save"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = [line for line in lines if "UnpicklingError" in line or "WeightsUnpickler" in line]
    reason = (named or lines)[0].removeprefix("WeightsUnpickler error: ")
    return f"cannot be read as what torch.save wrote ({reason[:200]}); fetch it again"


def without_module(state: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the prefix "module." from a state dict's names; torch's data parallel training adds it."""
    return {name.removeprefix("module."): value for name, value in state.items()}


def below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the part of a state dict whose names start with ``prefix``, and remove the prefix."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def whose(checkpoint: Mapping[str, Any]) -> str:
    """Describe, by its keys, which model a checkpoint belongs to and what loads it, or that its model is unknown."""
    inner = next((checkpoint[key] for key in ("model", "state_dict") if isinstance(checkpoint.get(key), Mapping)), None)
    keys = without_module(checkpoint if inner is None else inner)
    for start, words in _FAMILIES.items():
        if any(key.startswith(start) for key in keys):
            return f"its weights are {words}"
    return f"its keys ({', '.join(map(str, list(keys)[:5])) or 'none'}) are no CLAP's that is known here"


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict, which must have exactly the module's keys and shapes.

    Raises:
        BackboneError: keys are missing, unexpected, or of another shape; lists them.
    """
    own = module.state_dict()
    # Some checkpoints store a scalar as a tensor of shape (1,).
    state = {key: value.reshape(()) if _is_one(value, own.get(key)) else value for key, value in state.items()}
    refuse_differences(
        source,
        missing=own.keys() - state.keys(),
        unexpected=state.keys() - own.keys(),
        reshaped=[key for key in own.keys() & state.keys() if own[key].shape != state[key].shape],
    )
    module.load_state_dict(dict(state))


def _is_one(value: Tensor, own: Tensor | None) -> bool:
    return own is not None and own.shape == () and value.shape == (1,)


def refuse_differences(
    source: str, *, missing: Iterable[str], unexpected: Iterable[str], reshaped: Iterable[str]
) -> None:
    """Refuse a checkpoint whose keys or shapes differ from its model's.

    Raises:
        BackboneError: there are such keys; lists them.
    """
    wrong = {"missing": sorted(missing), "unexpected": sorted(unexpected), "of another shape": sorted(reshaped)}
    if any(wrong.values()):
        listed = "; ".join(f"{len(keys)} {what}: {', '.join(keys[:10])}" for what, keys in wrong.items() if keys)
        raise BackboneError(f"{source}: the weights of another model ({listed}); choose its own backbone")


def fingerprint(module: nn.Module) -> str:
    """First 16 hex digits of the SHA-256 of a module's parameters and buffers, sorted by name."""
    hasher = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        hasher.update(f"{name}{tuple(value.shape)}".encode())
        hasher.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data)
    return hasher.hexdigest()[:16]

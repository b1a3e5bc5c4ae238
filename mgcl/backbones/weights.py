"""Finding a checkpoint, reading it without running it, and loading it key by key."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mgcl.errors import BackboneError
from mgcl.pretrained import hub_file


def chosen(backbone: str, given: str | None, default: str) -> str:
    """The weights asked for: as given, else by ``MGCL_<BACKBONE>_WEIGHTS``, else the default."""
    return given or os.environ.get(f"MGCL_{backbone.upper()}_WEIGHTS") or default


def checkpoint_file(weights: str) -> Path:
    """A checkpoint that is one file: a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub.

    Raises:
        BackboneError: it is neither, or the hub cannot be reached.
    """
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    owner, _, rest = weights.partition("/")
    repository, _, name = rest.partition("/")
    if path.is_absolute() or not name:
        raise BackboneError(f"{weights}: no such file; give a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub")
    return hub_file(f"{owner}/{repository}", name)


def read_checkpoint(file: Path, *, allowed: Sequence[Any] = ()) -> Mapping[str, Any]:
    """What ``torch.save`` wrote, read with ``weights_only``: tensors and plain values, no code.

    Args:
        file: the checkpoint.
        allowed: classes that it may hold besides.

    Raises:
        BackboneError: it is no such file, or holds anything else.
    """
    try:
        with torch.serialization.safe_globals(list(allowed)):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its unpickler stumbles on
        reason = str(error).split(". ")[0].splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(f"{file}: not a checkpoint of tensors alone ({reason}); fetch it again") from None
    if not isinstance(content, Mapping):
        raise BackboneError(f"{file}: holds a {type(content).__name__}, where a checkpoint is a dictionary")
    return content


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict of exactly the module's keys and shapes.

    Raises:
        BackboneError: lists the keys that are missing, unexpected, or of another shape.
    """
    own = module.state_dict()
    refuse_differences(
        source,
        missing=own.keys() - state.keys(),
        unexpected=state.keys() - own.keys(),
        reshaped=[key for key in own.keys() & state.keys() if own[key].shape != state[key].shape],
    )
    module.load_state_dict(dict(state))


def refuse_differences(
    source: str, *, missing: Iterable[str], unexpected: Iterable[str], reshaped: Iterable[str]
) -> None:
    """Nothing, if there is no key in which a checkpoint differs from its model.

    Raises:
        BackboneError: lists the keys.
    """
    wrong = {"missing": sorted(missing), "unexpected": sorted(unexpected), "of another shape": sorted(reshaped)}
    if any(wrong.values()):
        listed = "; ".join(f"{len(keys)} {what}: {', '.join(keys[:10])}" for what, keys in wrong.items() if keys)
        raise BackboneError(f"{source}: the weights of another model ({listed}); choose its own backbone")


def fingerprint(module: nn.Module) -> str:
    """The first 16 hex digits of the SHA-256 of a module's parameters and buffers, by name."""
    hasher = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        hasher.update(f"{name}{tuple(value.shape)}".encode())
        hasher.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data)
    return hasher.hexdigest()[:16]

"""Results of first substages, kept by what they depend on, so that trials of several shots share them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mgcl.files import replacing
from mgcl.records import digest
from mgcl.tasks._generalised.substage import Schedule, State


@dataclass(frozen=True)
class Learned:
    """A trained model's state, and how it was trained."""

    state: State
    schedule: Schedule
    seconds: float
    """Seconds of training, when it was computed."""


def kept(folder: Path | None, identity: object, compute: Callable[[], Learned]) -> Learned:
    """Return a result from the folder, or compute it and put it there.

    If several workers need the same result, one computes it and the others wait.

    Args:
        folder: where results are kept; None: nothing is kept.
        identity: all that the result depends on; its digest names the file.
        compute: computes the result.
    """
    if folder is None:
        return compute()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{digest(identity)[:32]}.safetensors"
    with FileLock(file.with_suffix(".lock")):
        if (found := _read(file)) is None:
            found = compute()
            about = {"schedule": json.dumps(asdict(found.schedule)), "seconds": repr(found.seconds)}
            tensors = {name: value.cpu().contiguous() for name, value in found.state.items()}
            with replacing(file) as draft:
                save_file(tensors, draft, about)
        return found


def _read(file: Path) -> Learned | None:
    """Read a result; None: there is none, or the file is damaged, or of an mgcl that kept no seconds."""
    try:
        with safe_open(file, "pt") as opened:
            state: dict[str, torch.Tensor] = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            about = json.loads(opened.metadata()["schedule"])
            seconds = float(opened.metadata()["seconds"])
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return Learned(state, Schedule(about["epochs"], tuple(about["drops"])), seconds)

"""A checkpoint of the laion-clap package with random weights, as the publishers save one."""

from pathlib import Path

import numpy as np
import torch

from mgcl.backbones.laion_clap import build


def make(folder: Path, audio_tower: str = "HTSAT-tiny") -> str:
    """Write one; the model hub's cache must be filled, for it has the text tower's sizes.

    Returns:
        What a user gives as weights: the file's path.
    """
    torch.manual_seed(0)
    model = build(audio_tower).model
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    positions = model.text_branch.config.max_position_embeddings
    state["module.text_branch.embeddings.position_ids"] = torch.arange(positions)[None]
    file = folder / f"{audio_tower}.pt"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 45, "name": audio_tower, "best_metric": np.float64(0.5), "state_dict": state}, file)
    return str(file)

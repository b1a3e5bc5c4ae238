"""An EfficientAT checkpoint with random weights: the published keys at the least published width, mn01."""

from pathlib import Path

import torch
from torch import nn

from mgcl.backbones._mobilenet import MobileNet


def make(folder: Path, classes: int = 527) -> str:
    """Write one of 0.5 MB; its path. The model hub's cache has the sentence encoder."""
    torch.manual_seed(0)
    tagger = MobileNet(0.1, classes)
    for layer in tagger.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    file = folder / "mn01.pt"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tagger.state_dict(), file)
    return str(file)

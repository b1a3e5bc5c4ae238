"""Visual backbones, one file per backbone: they embed the frames of a step of time as one token."""

"""CLIP's image tower against the library itself; colour, place and direction in the grid of motion."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil, CLIPModel

from mgcl.backbones.visual import motion_grid, transformers_clip
from mgcl.errors import BackboneError
from tests.checkpoints.transformers_clip import make


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(make(tmp_path / "clip"))


def test_a_token_is_what_the_library_embeds(folder) -> None:
    backbone = transformers_clip.load(str(folder))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    tokens = backbone.embed(np.stack([backbone.prepare(each) for each in pixels])[:, None])
    inputs = CLIPImageProcessorPil.from_pretrained(folder)(
        [Image.fromarray(each) for each in pixels], return_tensors="pt"
    )
    with torch.inference_mode():
        expected = CLIPModel.from_pretrained(folder).eval().get_image_features(**inputs).pooler_output
    torch.testing.assert_close(tokens, expected, rtol=0, atol=1e-5)


def test_another_model_or_missing_weights_are_named(folder) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: each for name, each in weights.items() if name != "visual_projection.weight"},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(BackboneError, match=r"1 missing: visual_projection\.weight"):
        transformers_clip.load(str(folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "clap"}))
    with pytest.raises(BackboneError, match=r"cannot be loaded as a CLIP \(it is a clap\)"):
        transformers_clip.load(str(folder))


def moving(path: np.ndarray, colour: tuple[int, int, int] = (255, 255, 255)) -> torch.Tensor:
    """The cells (4, 4, 8) of a square that is at these places (frames, 2), x and y in pixels."""
    frames = np.full((1, len(path), 32, 32, 3), 40, np.uint8)
    for frame, (x, y) in zip(frames[0], path, strict=True):
        frame[y : y + 8, x : x + 8] = colour
    return motion_grid.load().embed(frames).reshape(4, 4, 8)


RIGHT = np.stack([np.arange(4, 12), np.full(8, 8)], axis=1)


@pytest.mark.parametrize(("turn", "signs"), [(0, (1, 0)), (1, (0, 1)), (2, (-1, 0)), (3, (0, -1))])
def test_motion_has_its_direction(turn: int, signs: tuple[int, int]) -> None:
    path = RIGHT if turn % 2 == 0 else RIGHT[:, ::-1]
    across, down = moving(path[::-1] if turn >= 2 else path)[..., 6:].sum((0, 1)).tolist()
    strength = abs(across) + abs(down)
    assert strength > 1
    assert np.allclose(np.array([across, down]) / strength, signs, atol=0.05)


def test_colour_and_place_are_in_the_cells() -> None:
    still = np.tile([[16, 8]], (8, 1))
    red, blue = moving(still, (255, 0, 0)), moving(still, (0, 0, 255))
    assert red[1, 2, 1] > 1 > blue[1, 2, 1] and blue[1, 2, 2] > 0.5 > red[1, 2, 2]
    assert torch.equal(red[3], blue[3])  # the square is not there
    assert red[..., 4:].abs().max() == 0  # nothing moves
    white = moving(still)
    assert white[..., 1:3].abs().max() < 1e-5 and white[1, 2, 0] > white[0, 0, 0]

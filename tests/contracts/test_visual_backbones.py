"""What every visual backbone that the catalogue finds must hold; those with weights, on tiny random ones."""

import numpy as np
import pytest
import torch

from mgcl.catalogue import load, names
from mgcl.errors import BackboneError
from tests.checkpoints import transformers_clip

CHECKPOINTS = {"motion_grid": None, "transformers_clip": transformers_clip.make}


def test_every_visual_backbone_is_tried_and_none_is_a_backbone_of_sound() -> None:
    assert set(CHECKPOINTS) == set(names("visual_backbone"))
    assert "visual" not in names("backbone")


@pytest.fixture(scope="module", params=CHECKPOINTS)
def backbone(request, tmp_path_factory):
    make = CHECKPOINTS[request.param]
    return load("visual_backbone", request.param).load(make and make(tmp_path_factory.mktemp("weights")))


def pictures(count: int, height: int = 48, width: int = 80) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def steps(backbone, count: int) -> np.ndarray:
    made = [backbone.prepare(each) for each in pictures(count * backbone.frames_per_step)]
    return np.stack(made).reshape(count, backbone.frames_per_step, *made[0].shape)


def test_tokens_have_the_stated_shape_and_are_the_same_each_time(backbone) -> None:
    tokens = backbone.embed(steps(backbone, 4))
    assert (tokens.shape, tokens.dtype, tokens.device.type) == ((4, backbone.token_dim), torch.float32, "cpu")
    assert tokens.isfinite().all()
    assert torch.equal(tokens, backbone.embed(steps(backbone, 4)))
    assert len({tuple(each.tolist()) for each in tokens}) == 4


def test_a_token_depends_on_its_own_frames_alone(backbone) -> None:
    tokens = backbone.embed(steps(backbone, 5))
    assert torch.allclose(backbone.embed(steps(backbone, 5)[[3, 1]]), tokens[[3, 1]], atol=1e-5)


def test_frames_of_any_size_are_prepared_to_one_shape(backbone) -> None:
    shapes = {backbone.prepare(pictures(1, *size)[0]).shape for size in ((32, 32), (480, 64), (33, 200))}
    assert len(shapes) == 1
    assert backbone.prepare(pictures(1)[0]).dtype == np.uint8


def test_wrong_weights_are_named(backbone, tmp_path) -> None:
    with pytest.raises(BackboneError, match="nothing"):
        load("visual_backbone", backbone.name.split()[0]).load(str(tmp_path / "nothing"))

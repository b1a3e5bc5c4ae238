"""Captions chosen from audio, and whether a caption gives its class away."""

import numpy as np
import pytest

from mgcl.language.captions import names_its_class, nearest_captions


def test_each_clip_gets_the_closest_caption() -> None:
    captions = np.eye(3, dtype=np.float32)
    clips = np.array([[0.1, 0.9, 0.2], [0.8, 0.1, 0.1]], dtype=np.float32)
    assert nearest_captions(clips, captions).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("caption", "label", "named"),
    [
        ("A Dog barks.", "dog", True),
        ("church bells ring", "church_bells", True),
        ("a bell rings", "church_bells", False),
        ("doggy", "dog", False),
        ("it is on", "turn_it_on", False),
        ("water", "Water_tap_and_faucet", True),
    ],
)
def test_a_word_of_the_name_counts(caption, label, named) -> None:
    assert names_its_class(caption, label) is named

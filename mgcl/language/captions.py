"""Captions: descriptions of what a clip sounds like, made from its audio alone."""

import re

import numpy as np
from numpy.typing import NDArray


def nearest_captions(clips: NDArray[np.float32], captions: NDArray[np.float32]) -> NDArray[np.intp]:
    """Row of the nearest candidate caption of each clip, in the joint embedding space.

    Args:
        clips: embeddings of the clips, unit vectors of shape (clips, d).
        captions: embeddings of the candidate captions, unit vectors of shape (captions, d).

    Returns:
        Rows of ``captions``, shape (clips,).
    """
    rows: NDArray[np.intp] = (clips @ captions.T).argmax(1)
    return rows


def names_its_class(caption: str, label: str) -> bool:
    """Whether a caption contains a word of a class's name; it may then have been written from the label.

    Words of one or two letters do not count.

    >>> names_its_class("A dog barks in the rain.", "dog"), names_its_class("Hot dogs", "dog")
    (True, False)
    """
    return any(len(word) > 2 and word in _words(caption) for word in _words(label))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower()))

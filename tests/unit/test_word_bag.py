"""Word vectors without a corpus, and the choice of word vectors."""

from pathlib import Path

import numpy as np
import pytest

from mgcl.backbones import tiny
from mgcl.data.scenes.recipes import SceneClass, scene_classes
from mgcl.errors import BankError
from mgcl.extraction.words import word_vectors
from mgcl.language.word_bag import word_bag


def test_order_pairs_are_near_and_other_classes_are_not() -> None:
    classes = scene_classes()
    vectors = word_bag([each.label for each in classes])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    cosines = vectors @ vectors.T
    others = {each: SceneClass(each.part, each.sound, each.sight, not each.sound_first) for each in classes}
    paired = [cosines[i, classes.index(others[each])] for i, each in enumerate(classes) if others[each] in classes]
    assert len(paired) == 30
    assert np.allclose(paired, 0.94, atol=0.05)
    unrelated = [
        cosines[i, j]
        for i, a in enumerate(classes)
        for j, b in enumerate(classes)
        if not {*a.label.split()} & {*b.label.split()} - {"a", "an", "then"}
    ]
    assert np.abs(np.mean(unrelated)) < 0.1


def test_a_vector_depends_on_its_name_alone() -> None:
    assert np.array_equal(word_bag(["a dog", "a cat"])[1], word_bag(["a cat"])[0])
    assert np.array_equal(*word_bag(["Outboard_Motor", "an outboard motor"]))
    assert np.isfinite(word_bag(["the", "?", "日本"])).all()


def test_word_vectors_of_a_text_tower_and_of_a_file(tmp_path: Path) -> None:
    found = word_vectors(["wind_chime", "gong"], "tiny")
    assert np.allclose(found["wind_chime"], tiny.load().embed_text(["wind chime"])[0], atol=1e-6)
    with pytest.raises(BankError, match="`words` word2vec: no such file, and no backbone; give bag"):
        word_vectors(["gong"], "word2vec")
    pytest.importorskip("mgcl.language.words")
    np.savez(tmp_path / "words.npz", names=np.array(["gong", "dog"]), vectors=np.eye(2, 5, dtype=np.float32))
    assert word_vectors(["gong"], str(tmp_path / "words.npz"))["gong"].tolist() == [1, 0, 0, 0, 0]

"""Word vectors from files are matched to classes by name."""

from pathlib import Path

import numpy as np
import pytest

from mgcl.errors import BankError
from mgcl.language.words import match_words, read_words


def npz(file: Path, names: list[str], vectors: np.ndarray) -> Path:
    np.savez(file, names=np.array(names), vectors=vectors)
    return file


def test_an_npz_is_matched_by_name_whatever_its_order_case_and_spaces(tmp_path: Path) -> None:
    names = ["Apply Eye Makeup", "Archery", "Arm wrestling"]
    vectors = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
    classes = ["Armwrestling", "archery", "ApplyEyeMakeup"]
    for order in ([0, 1, 2], [2, 0, 1]):
        file = npz(tmp_path / "words.npz", [names[row] for row in order], vectors[order])
        assert np.array_equal(read_words(file, classes), vectors[[2, 1, 0]])


def test_an_exact_name_goes_before_one_in_another_spelling(tmp_path: Path) -> None:
    words = {"ice bear": np.ones(2, np.float32), "icebear": np.full(2, 2, np.float32)}
    assert read_words(npz(tmp_path / "w.npz", list(words), np.stack(list(words.values()))), ["icebear"])[0, 0] == 2
    with pytest.raises(BankError, match=r"'IceBear' fits 'ice bear' and 'icebear'; name one of them 'IceBear'"):
        match_words(words, ["IceBear"], tmp_path / "w.npz")


TEXT = """5 2
dog 3 4
Dog 1 0
playing 0 2
guitar 4 0
polar_bear 0 -5
"""


@pytest.mark.parametrize("header", [True, False])
def test_text_gives_whole_names_or_the_mean_of_their_words(header: bool, tmp_path: Path) -> None:
    file = tmp_path / "words.vec"
    file.write_text(TEXT if header else TEXT.partition("\n")[2])
    found = read_words(file, ["PlayingGuitar", "polar bear", "dog", "Dog", "DOG"])
    assert np.allclose(found, [[0.5**0.5, 0.5**0.5], [0, -1], [0.6, 0.8], [1, 0], [0.6, 0.8]])
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dog 1 2\n", "class 'hot cat': no vector for 'hot', 'cat'"),
        ("2 2\nhot 1 2\ncat 1\n", "line 3: not a word and 2 numbers"),
        ("hot 1 2\ncat 1 x\n", "line 2: not a word and 2 numbers"),
        ("hot 1 nan\ncat 1 2\n", "'hot cat': the vector is zero or not finite"),
        ("hot 0 1\ncat 0 -1\n", "'hot cat': the vector is zero or not finite"),
    ],
)
def test_faults_of_a_text_file_are_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "words.vec").write_text(content)
    with pytest.raises(BankError, match=message):
        read_words(tmp_path / "words.vec", ["hot cat"])


def test_faults_of_an_npz_are_named(tmp_path: Path) -> None:
    file, one = tmp_path / "words.npz", np.ones((1, 2), np.float32)
    with pytest.raises(BankError, match="no such file"):
        read_words(file, ["a"])
    for names, vectors, message in (
        (["a"], one, "no vector for class 'b'; add one under this name"),
        (["b"], one * 0, "'b': the vector is zero or not finite"),
        (["b", "b"], np.ones((2, 2)), "name 'b' stands 2 times"),
        (["b"], np.ones(2), r"vectors \(2,\)"),
    ):
        with pytest.raises(BankError, match=message):
            read_words(npz(file, names, vectors), ["b"])
    np.savez(file, names=np.array(["b"], dtype=object), vectors=one)
    with pytest.raises(BankError, match="not an npz of word vectors"):
        read_words(file, ["b"])
    (tmp_path / "binary.vec").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BankError, match="not a text file"):
        read_words(tmp_path / "binary.vec", ["b"])

"""A user's own folder of classes, or csv file."""

from pathlib import Path

import pytest

from mgcl.data.folder import read
from mgcl.errors import DataError


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def table(root: Path, text: str) -> Path:
    (root / "Sounds.csv").write_text(text, encoding="utf-8")
    return root / "Sounds.csv"


def test_every_sub_folder_is_a_class(tmp_path) -> None:
    clips = (
        "dog/b.WAV",
        "dog/a.flac",
        "crow/a.ogg",
        "crow/a.mp3",
        "crow/notes.txt",
        "crow/.x.wav",
        ".git/a.wav",
        "t.wav",
    )
    dataset = read(write(tmp_path / "My Sounds", *clips))
    assert (dataset.name, dataset.classes) == ("my sounds", ("crow", "dog"))
    assert [(clip.clip_id, clip.label) for clip in dataset.files] == [
        ("crow/a.mp3", "crow"),
        ("crow/a.ogg", "crow"),
        ("dog/a", "dog"),
        ("dog/b", "dog"),
    ]
    assert dataset.files[3].path == tmp_path / "My Sounds" / "dog" / "b.WAV"


def test_a_csv_lists_clips_beside_it(tmp_path) -> None:
    write(tmp_path, "x/2.wav", "x/1.ogg", "1.wav")
    text = "\ufeffpath,label,fold,caption,source\nx/2.wav,dog,3,a dog barks,tape 1\nx/1.ogg,crow,,,\n1.wav,crow,0,,\n"
    dataset = read(table(tmp_path, text))
    assert dataset.name == "sounds"
    assert [(clip.clip_id, clip.label, clip.fold, clip.caption, clip.source) for clip in dataset.files] == [
        ("1", "crow", 0, None, None),
        ("x/1", "crow", None, None, None),
        ("x/2", "dog", 3, "a dog barks", "tape 1"),
    ]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), r"sounds: no such folder or csv file"),
        (("dog/a.wav",), r"sounds: at least 2 classes are needed, .* found: dog"),
        (("a.wav", "b.wav"), r"sounds: at least 2 classes are needed, .* found: none"),
        (("dog/a.wav", "crow/a.doc"), r"crow: no clips; .* \.wav \.wave"),
    ],
)
def test_a_folder_without_classes_is_refused(tmp_path, names, words) -> None:
    with pytest.raises(DataError, match=words):
        read(write(tmp_path / "sounds", *names))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\na.wav,dog\n", r"Sounds\.csv: no column 'path'; it must have path, label"),
        ("path,label\n", r"no rows"),
        ("path,label\na.wav,dog\nb.wav, \n", r"Sounds\.csv, line 3: no label"),
        ("path,label\na.wav,dog\nb.wav\n", r"Sounds\.csv, line 3: no label"),
        ("path,label,fold\na.wav,dog,one\n", r"line 2: fold 'one' is no integer"),
        ("path,label,fold\na.wav,dog,300\n", r"line 2: fold '300' is no integer from 0 to 127"),
        ("path,label\na.doc,dog\n", r"line 2: 'a\.doc' is none of \.wav"),
        ("path,label\na.wav,dog\n./a.wav,crow\n", r"a\.wav is listed 2 times"),
        ("path,label\na.wav,dog\nc.wav,crow\n", r"c\.wav: missing, one of 1 that Sounds\.csv names"),
        ("path,label\na.wav,dog\nb.wav,dog\n", r"at least 2 classes are needed"),
    ],
)
def test_a_wrong_csv_is_refused(tmp_path, text, words) -> None:
    write(tmp_path, "a.wav", "b.wav")
    with pytest.raises(DataError, match=words):
        read(table(tmp_path, text))


@pytest.mark.parametrize("name", ["esc50", "ESC-50", "FSDKaggle2018"])
def test_a_name_with_published_folds_is_refused(tmp_path, name) -> None:
    with pytest.raises(DataError, match=r"is a data set with published folds, .* rename it"):
        read(write(tmp_path / name, "dog/a.wav", "crow/a.wav"))

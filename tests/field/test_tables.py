"""Csv files as people have them: separators, capitals, stretches, labels that look alike."""

import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl.data.folder import labelled, read
from mgcl.errors import DataError, MgclWarning

RATE = 8000


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a/0.wav", "a/1.wav", "b/0.wav", "b/1.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.full(2 * RATE, 0.1), RATE)
    return tmp_path


def listed(folder: Path, text: str | bytes) -> list[tuple[str, str]]:
    file = folder / "list.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(clip.path.relative_to(folder).as_posix(), clip.label) for clip in labelled(file)]


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na/0.wav,x\nb/0.wav,y\n",
        "path;label\na/0.wav;x\nb/0.wav;y\n",
        "path\tlabel\na/0.wav\tx\nb/0.wav\ty\n",
        "path|label\na/0.wav|x\nb/0.wav|y\n",
        "path, label\na/0.wav, x\nb/0.wav, y\n",
        '"Path", LABEL\na/0.wav,"x"\n\nb/0.wav,y \n',
        "path,label\na/0.wav,x,\nb/0.wav,y,,\n",
        "path,label,\na/0.wav,x,\nb/0.wav,y,\n",
        "\ufeffpath,label\r\na\\0.wav,x\r\nb\\0.wav,y\r\n",
        "path\tlabel\na/0.wav\tx\nb/0.wav\ty\n".encode("utf-16"),
    ],
)
def test_separators_capitals_and_byte_order_marks(folder, text) -> None:
    """Opensoundscape #437: tables of other programs."""
    assert listed(folder, text) == [("a/0.wav", "x"), ("b/0.wav", "y")]


def test_a_table_that_is_not_understood_lists_the_columns_found(folder) -> None:
    """Opensoundscape #437."""
    with pytest.raises(DataError, match="no column 'path'; it must have path, label, and has 'file', 'class'"):
        listed(folder, "file;class\na/0.wav;x\n")
    with pytest.raises(DataError, match=r"line 3 has 3 cells, and the first line 2.*double quotes"):
        listed(folder, "path,label\na/0.wav,x\nb/0.wav,y, loud\n")
    with pytest.raises(DataError, match="column 'label' is there 2 times"):
        listed(folder, "path,label,Label\na/0.wav,x,y\n")


def test_labels_lose_what_cannot_be_seen(folder) -> None:
    """Perch #622: ``tone`` and ``tone `` are one class, and one spelling of an accent is another's."""
    nfd = unicodedata.normalize("NFD", "Hähne")
    found = listed(folder, f"path,label\na/0.wav,Hähne\na/1.wav,{nfd}\nb/0.wav,y\nb/1.wav,y \n")
    assert [label for _, label in found] == ["Hähne", "Hähne", "y", "y"]


def test_stretches_are_clips(folder) -> None:
    """Opensoundscape #730: start and end say which part of a recording has the label."""
    file = folder / "list.csv"
    for text in (
        "path,label,start,end\na/0.wav,x,0,0.5\na/0.wav,y,0.5,2\n",
        "Path;Label;Onset;Offset\na/0.wav;x;0;0,5\na/0.wav;y;0,5;2\n",
    ):
        file.write_text(text)
        assert [(clip.label, clip.start, clip.end) for clip in labelled(file)] == [("x", 0, 0.5), ("y", 0.5, 2)]
    with pytest.raises(DataError, match="which `mgcl fit` alone reads"):
        read(file)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,1", "line 3: a stretch of 1 to 1 s"),
        ("-1,1", "line 3: a stretch of -1 to 1 s"),
        ("0,nan", "line 3: a stretch of 0 to nan s"),
        ("0,", "line 3: start '0' and end '' are no numbers"),
        ("1,9", r"line 3: the stretch ends at 9 s, and .*1\.wav at 2 s"),
        ("0,1\na/1.wav,y,0,1", r"a/1\.wav is listed 2 times; a clip, or a stretch of it, has one line"),
    ],
)
def test_stretches_that_are_none(folder, row, words) -> None:
    """Opensoundscape #730."""
    with pytest.raises(DataError, match=words):
        listed(folder, f"path,label,start,end\na/0.wav,x,0,1\na/1.wav,y,{row}\n")


def test_columns_that_nobody_reads_are_said(folder) -> None:
    """Opensoundscape #437: a column that is passed over in silence was thought to count."""
    with pytest.warns(MgclWarning, match="columns that are not read: low_f, notes"):
        listed(folder, "path,label,low_f,notes\na/0.wav,x,1,\nb/0.wav,y,2,z\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listed(folder, "path,label,fold,caption,source\na/0.wav,x,1,c,s\nb/0.wav,y,2,c,s\n")

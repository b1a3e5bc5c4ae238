"""Published data sets: rows and layouts as their publishers have them, and servers that are busy."""

from pathlib import Path

import pytest
from urllib3.util import Retry

from mgcl.cli.extract_sounds import given_classes
from mgcl.data import fsdkaggle18
from mgcl.data._download import Archive, fetch
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError
from tests.integration.test_download import Site, site  # noqa: F401

TRAIN = "fname,label,manually_verified\n00044347.wav,Hi-hat,0\n001ca53d.wav,Saxophone,1\n"
TEST = """fname,label,usage,freesound_id,license
00063640.wav,None,Ignored,88926,Attribution
00326aa9.wav,Oboe,Private,355125,Attribution
0038a046.wav,Bass_drum,Public,90621,Creative Commons 0
"""


def test_kaggles_own_folder_is_read(tmp_path) -> None:
    """CPJKU/dcase_task2 PR #1: train.csv and test_post_competition.csv beside audio_train/ and audio_test/."""
    for table, folder, text in (("train.csv", "audio_train", TRAIN), ("test_post_competition.csv", "audio_test", TEST)):
        (tmp_path / table).write_text(text)
        (tmp_path / folder).mkdir()
        for line in text.splitlines()[1:]:
            (tmp_path / folder / line.split(",")[0]).touch()
    dataset = fsdkaggle18.read(tmp_path)
    assert dataset.classes == ("Bass_drum", "Hi-hat", "Oboe", "Saxophone")
    assert [(clip.path.relative_to(tmp_path).as_posix(), clip.verified) for clip in dataset.files] == [
        ("audio_train/00044347.wav", False),
        ("audio_train/001ca53d.wav", True),
        ("audio_test/00326aa9.wav", True),
        ("audio_test/0038a046.wav", True),
    ]


def test_no_layout_names_both(tmp_path) -> None:
    """CPJKU/dcase_task2 PR #1: Kaggle's folder was sent to Zenodo."""
    with pytest.raises(DataError, match="as Kaggle has them, its csv files beside audio_train/ and audio_test/"):
        fsdkaggle18.read(tmp_path)


@pytest.mark.parametrize(
    ("status", "words"), [(429, "HTTP 429: too many requests"), (504, "HTTP 504: gateway timeout")]
)
def test_a_server_that_stays_busy_is_asked_again_and_named(site: Site, tmp_path, monkeypatch, status, words) -> None:  # noqa: F811
    """It was given up after three seconds, as "RetryError"."""
    waited: list[None] = []
    monkeypatch.setattr(Retry, "sleep", lambda *_: waited.append(None))
    site.refused["/list"] = status
    archive = Archive(f"{site.address}/a.zip", f"{site.address}/list", ("a",))
    with pytest.raises(DataError, match=rf"/list: {words}; run the command again"):
        fetch([archive], tmp_path)
    assert len(waited) == 7
    assert [path for path, _ in site.asked] == 8 * ["/list"]


def test_a_sign_in_page_is_no_list_of_checksums(site: Site, tmp_path) -> None:  # noqa: F811
    """A page that a network puts in place of what was asked for; its message asked for a report."""
    site.pages["/list"] = b"\n<!DOCTYPE html><html>Sign in</html>"
    archive = Archive(f"{site.address}/a.zip", f"{site.address}/list", ("a",))
    with pytest.raises(DataError, match=r"/list: a web page came in place of the list of checksums.*sign in"):
        fetch([archive], tmp_path)


def test_classes_of_which_nothing_is_written_are_said_in_plain_sentences(capsys) -> None:
    """`mgcl fit` takes a folder so; `mgcl extract` refused it without --explanations."""
    own, known = (
        Dataset(name, "", "none", tuple(AudioFile(label, Path(label), label) for label in labels))
        for name, labels in (("mine", ("pump", "fan")), ("esc50", ("dog", "rain")))
    )
    texts = given_classes(None, own)
    assert texts is not None
    assert set(texts) == {"pump", "fan"}
    assert "class names in plain sentences" in capsys.readouterr().out
    assert given_classes(None, known) is None
    assert capsys.readouterr().out == ""

"""Files that are there complete or not at all."""

import pytest

from mgcl.files import replacing


def test_a_file_is_replaced_once_its_draft_is_complete(tmp_path) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")
    with replacing(file) as draft:
        draft.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_leaves_the_file_and_no_draft(tmp_path) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")
    with pytest.raises(OSError, match="no room"), replacing(file) as draft:
        draft.write_text("half")
        raise OSError("no room")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]

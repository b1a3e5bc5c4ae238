"""Lines that outlive a kill."""

import json

import pytest

from mgcl.append_log import append_log
from mgcl.errors import MgclError


def test_lines_are_taken_up_again(tmp_path) -> None:
    file = tmp_path / "new" / "lines.jsonl"
    with append_log(file) as lines:
        assert lines.records == []
        lines.append([{"a": 1}, {"a": "ü"}])
        assert file.read_text() == '{"a": 1}\n{"a": "ü"}\n'
    with append_log(file) as lines:
        lines.append([{"a": 3}])
        assert lines.records == [{"a": 1}, {"a": "ü"}, {"a": 3}]
    assert [json.loads(line) for line in file.read_text().splitlines()] == [{"a": 1}, {"a": "ü"}, {"a": 3}]


@pytest.mark.parametrize("torn", ['{"a"', '{"a": 2, "and": "longer than what is written over it"}', "\xff"])
def test_a_torn_line_is_dropped_once_another_is_written(tmp_path, torn) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b'{"a": 1}\n' + torn.encode("latin-1"))
    with append_log(file) as lines:
        assert lines.records == [{"a": 1}]
    assert file.read_bytes().endswith(torn.encode("latin-1"))
    with append_log(file) as lines:
        lines.append([{"a": 2}])
    assert file.read_text() == '{"a": 1}\n{"a": 2}\n'


@pytest.mark.parametrize("content", ["a user's notes\n", "[1]\n", "notes without an end"])
def test_another_file_is_left_alone(tmp_path, content) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(content)
    with pytest.raises(MgclError, match=r"notes\.txt: exists, and is not what this command writes"), append_log(file):
        pass
    assert file.read_text() == content


def test_one_process_writes_at_a_time(tmp_path) -> None:
    file = tmp_path / "lines.jsonl"
    with append_log(file), pytest.raises(MgclError, match="another process is writing it"), append_log(file):
        pass

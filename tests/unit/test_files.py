"""Files that are there complete or not at all."""

import errno
import json
import resource
import signal

import pytest

from mgcl.append_log import append_log
from mgcl.errors import run_and_exit
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


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path, capsys) -> None:
    file = tmp_path / "model.json"
    file.write_text("as before")
    full = OSError(errno.ENOSPC, "No space left on device")

    def job() -> int:
        with replacing(file) as draft:
            draft.write_bytes(b"1")
            raise full  # as a write does, which names no file

    with pytest.raises(SystemExit, match="2"):
        run_and_exit(job)
    assert capsys.readouterr().err == f"error: {file}: No space left on device; mend that, or name another place\n"
    assert [each.read_text() for each in tmp_path.iterdir()] == ["as before"]


def test_a_full_disk_under_a_log_leaves_what_was_appended(tmp_path) -> None:
    file, limits = tmp_path / "log.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    as_before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def job() -> int:
        with append_log(file) as log:
            log.append([{"number": 1}])
            resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 20, limits[1]))
            log.append([{"number": 2, "more": "." * 100}])
        return 0

    try:
        with pytest.raises(OSError, match="File too large") as error:
            job()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, as_before)
    assert error.value.filename == str(file)
    with append_log(file) as log:
        assert log.records == [{"number": 1}]
        log.append([{"number": 3}])
    assert [json.loads(line)["number"] for line in file.read_text().splitlines()] == [1, 3]


def test_output_that_goes_to_a_full_disk_is_one_line(capsys) -> None:
    def job() -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SystemExit, match="2"):
        run_and_exit(job)
    assert "error: the output: No space left on device" in capsys.readouterr().err

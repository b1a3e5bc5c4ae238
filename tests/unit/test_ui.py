"""``mgcl ui``: what it refuses, and an MLflow server that is somebody else's."""

import socket
import webbrowser

import pytest

from mgcl.cli import main


def run(capsys, *flags: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["ui", *flags])
    output, errors = capsys.readouterr()
    return left.value.code, output, errors


def test_a_store_that_is_not_there_is_refused_and_not_made(tmp_path, capsys) -> None:
    code, _, errors = run(capsys, "--tracking-uri", f"sqlite:///{tmp_path / 'none.db'}")
    assert (code, errors.count("\n")) == (2, 1)
    assert "no sweep is recorded there; run one with `mgcl sweep NAME`" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr("mgcl.tracking.store.newest_experiment", lambda _uri: "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, errors = run(capsys, "--tracking-uri", "sqlite:///a.db", "--port", port)
    assert (code, errors) == (
        2,
        f"error: --port {port}: cannot be used on 127.0.0.1 (Address already in use); name another\n",
    )


@pytest.mark.parametrize("flags", [(), ("--no-browser",)])
def test_of_a_server_only_the_page_is_opened(flags, monkeypatch, capsys) -> None:
    opened: list[str] = []
    monkeypatch.setattr("mgcl.tracking.store.newest_experiment", lambda _uri: "7")
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = "http://host:5000/#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=mgcl"
    assert run(capsys, "--tracking-uri", "http://host:5000/", *flags) == (0, f"runs: {page}\n", "")
    assert opened == ([] if flags else [page])

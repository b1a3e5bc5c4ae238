"""``mgcl explain-classes`` against an endpoint on this machine that answers well, badly and not at all."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mgcl.cli import main
from mgcl.errors import MgclError
from mgcl.language.explanations import read_explanations
from mgcl.language.writers import endpoint_writer
from mgcl.language.writing import CHARACTERISTICS

MGCL = str(Path(sys.executable).with_name("mgcl"))
KEY = "sk-a-key-that-must-not-be-seen"
GOOD = "\n".join(f"Its {name} is warm and steady, like slow breath in the dark." for name, _ in CHARACTERISTICS)


class Endpoint(ThreadingHTTPServer):
    """Speaks enough of OpenAI's protocol; answers as it is told, then well."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.told: list[str | int] = []
        """What comes next: an answer, or a status."""
        self.silent_on: str | None = None
        """The class that a request on gets no answer."""
        self.asked: list[str] = []
        """The class of every request, in order."""
        self.keys: set[str | None] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        label = re.search('the sound "(.+?)"', request["messages"][0]["content"])[1]
        self.server.asked.append(label)
        self.server.keys.add(self.headers["Authorization"])
        if label == self.server.silent_on:
            time.sleep(30)
        told = self.server.told.pop(0) if self.server.told else GOOD
        status = told if isinstance(told, int) else 200
        body = {"error": {"message": f"refused {KEY}\nand more"}}
        if status == 200:
            message = {"role": "assistant", "content": told}
            body = {"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "application/json"),
            ("Content-Length", len(content)),
            ("retry-after-ms", 5),
        ):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = Endpoint()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def arguments(endpoint: Endpoint, out: Path) -> list[str]:
    asked = ["--labels", "hum", "click", "sea_wave", "--endpoint", endpoint.url, "--model", "m", "--out", str(out)]
    return ["explain-classes", *asked]


def run(capfd, *asked: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(asked)
    said = capfd.readouterr()
    return left.value.code, said.out, said.err


def test_refusals_for_the_moment_and_a_bad_answer_are_overcome(endpoint, tmp_path, capfd) -> None:
    endpoint.told = [GOOD, 500, 429, "Click, click.", GOOD]
    out = tmp_path / "mine.json"
    code, said, errors = run(capfd, *arguments(endpoint, out))
    assert (code, said) == (0, f"{out}: 3 classes, 8 explanations each\n"), errors
    assert endpoint.asked == ["hum", "click", "click", "click", "click", "sea wave"]
    assert endpoint.keys == {f"Bearer {KEY}"}
    assert list(read_explanations(out)) == ["hum", "click", "sea_wave"]
    answers = [json.loads(line)["answer"] for line in (tmp_path / "mine.answers.jsonl").read_text().splitlines()]
    assert answers == [GOOD, "Click, click.", GOOD, GOOD]
    assert KEY not in said + errors + "".join(file.read_text() for file in tmp_path.iterdir())


def test_killed_and_run_again_it_asks_only_the_rest(endpoint, tmp_path, capfd) -> None:
    out = tmp_path / "mine.json"
    endpoint.silent_on = "click"
    with subprocess.Popen([MGCL, *arguments(endpoint, out)], stderr=subprocess.DEVNULL) as command:
        deadline = time.monotonic() + 120
        while "click" not in endpoint.asked:
            assert time.monotonic() < deadline and command.poll() is None
            time.sleep(0.05)
        command.send_signal(signal.SIGKILL)
    endpoint.silent_on = None
    endpoint.asked.clear()
    assert run(capfd, *arguments(endpoint, out))[0] == 0
    assert endpoint.asked == ["click", "sea wave"]
    endpoint.asked.clear()
    assert run(capfd, *arguments(endpoint, out))[0] == 0
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses the key in OPENAI_API_KEY, or it may not use m"),
        (404, r"no answer of m \(NotFoundError: .*refused \*\*\*.*\); see that the URL goes up to"),
    ],
)
def test_an_endpoint_that_refuses_is_named_without_the_key(endpoint, status, words) -> None:
    endpoint.told = [status]
    with pytest.raises(MgclError, match=words) as refused:
        endpoint_writer(endpoint.url, "m")('the sound "hum"')
    assert KEY not in str(refused.value)
    assert str(refused.value).startswith(endpoint.url)


def test_an_endpoint_may_want_no_key(endpoint, tmp_path, capfd, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    code, _, errors = run(capfd, *arguments(endpoint, tmp_path / "mine.json"))
    assert code == 0, errors
    endpoint.told = [401]
    with pytest.raises(MgclError, match="asks for a key in OPENAI_API_KEY for m"):
        endpoint_writer(endpoint.url, "m")('the sound "hum"')


def test_a_data_set_needs_its_folder(tmp_path, capfd) -> None:
    asked = ("explain-classes", "--dataset", "esc50", "--model", "m", "--out", str(tmp_path / "mine.json"))
    code, _, errors = run(capfd, *asked)
    assert (code, errors) == (2, "error: esc50 needs --root, the folder where it lies\n")

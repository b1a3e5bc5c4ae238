"""Models on the Hugging Face hub: pushed to, and opened from, a server on this machine that answers as the hub does."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import huggingface_hub
import pytest
from huggingface_hub import constants

from mgcl import FewShotClassifier
from mgcl.classifier import hub as hub_models
from mgcl.errors import BackboneError, ClassifierError
from tests.commands import run
from tests.generated_sounds import write_sounds
from tests.integration.test_weights_command import Handler, Site

COMMIT = 40 * "0"
"""As ``Handler`` states it of every file."""
NAME = f"hub:owner/sounds@{COMMIT}"


class Hub(Handler):
    """It takes commits too."""

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        site: Site = self.server.site
        content = self.rfile.read(int(self.headers["Content-Length"]))
        site.asked.append((self.command, self.path, self.headers["Authorization"]))
        answer: dict[str, object] = {}
        if self.headers["Authorization"] != "Bearer hf_may_write":
            self.send_error(401)
            return
        if self.path == "/api/repos/create":
            site.pages["created"] = content
            answer = {"url": f"{site.address}/owner/sounds", "name": "owner/sounds"}
        elif self.path.startswith("/api/models/owner/sounds/preupload/"):
            files = [each["path"] for each in json.loads(content)["files"]]
            answer = {"files": [{"path": each, "uploadMode": "regular", "shouldIgnore": False} for each in files]}
        elif self.path.startswith("/api/models/owner/sounds/commit/"):
            take(site, [json.loads(line) for line in content.splitlines()])
            answer = {"commitUrl": f"{site.address}/owner/sounds/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def take(site: Site, lines: list[dict]) -> None:
    files = {each["value"]["path"]: each["value"]["content"] for each in lines if each["key"] == "file"}
    for name, content in files.items():
        site.pages[f"/owner/sounds/resolve/{COMMIT}/{name}"] = base64.b64decode(content)
    tree = [{"type": "file", "path": name, "size": len(content), "oid": COMMIT} for name, content in files.items()]
    site.pages[f"/api/models/owner/sounds/tree/{COMMIT}?recursive=true&expand=false"] = json.dumps(tree).encode()


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[Site]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.block_on_close = False  # the hub's library keeps its connection open
        server.site = Site(address=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(constants, "ENDPOINT", server.site.address)
        monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", server.site.address)
        template = f"{server.site.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_may_write")
        yield server.site
        server.shutdown()
        thread.join()


def test_a_pushed_model_is_opened_at_its_commit_and_then_without_the_hub(server, saved_model, tmp_path, capsys) -> None:
    code, output, _ = run(capsys, "model", "push", saved_model, "owner/sounds")
    assert (code, output) == (0, f"mgcl predict {NAME} CLIP ...\n")
    assert json.loads(server.pages["created"])["visibility"] == "private"
    card = server.pages[f"/owner/sounds/resolve/{COMMIT}/README.md"].decode()
    assert card.startswith("---\nlibrary_name: mgcl\n")
    assert "# sounds\n" in card
    clip = write_sounds(tmp_path / "new", ("hum",), clips=1, first=7)["hum"][0]
    expected = run(capsys, "predict", saved_model, clip)[1]
    assert run(capsys, "predict", NAME, clip)[:2] == (0, expected)
    server.pages.clear()
    assert run(capsys, "predict", NAME, clip)[:2] == (0, expected)
    assert "prototypical, version 1" in run(capsys, "model", "show", NAME)[1]
    code, _, error = run(capsys, "model", "remove", NAME, "hum")
    assert code == 2
    assert f"`hf download owner/sounds --revision {COMMIT} --local-dir DIR`" in error


@pytest.mark.usefixtures("server")
def test_what_cannot_be_pushed_or_opened_is_named_with_what_to_do(saved_model, monkeypatch) -> None:
    with pytest.raises(ClassifierError, match="sounds: a repository of the hub is OWNER/NAME"):
        hub_models.push(saved_model, "sounds")
    monkeypatch.setenv("HF_TOKEN", "hf_may_read")
    with pytest.raises(ClassifierError, match=r"does not take the model .* log in with `hf auth login`"):
        hub_models.push(saved_model, "owner/sounds")
    with pytest.raises(BackboneError, match="the hub does not give it"):
        FewShotClassifier.load(NAME)
    with pytest.raises(BackboneError, match="name its commit, owner/sounds@COMMIT"):
        FewShotClassifier.load("hub:owner/sounds@main")

"""``mgcl weights`` against a server on this machine, which answers as GitHub's releases and the model hub do."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mgcl.backbones import efficientat
from mgcl.catalogue import load, names
from mgcl.cli import main
from mgcl.errors import BackboneError

TAGGER = bytes(range(256)) * 2000
REPOSITORY = efficientat.ENCODER.name
FILES = {name: f"{name} of the encoder".encode() * 100 for name in efficientat.ENCODER.files}


@dataclass
class Site:
    pages: dict[str, bytes] = field(default_factory=dict)
    cut_once: bool = False
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        site: Site = self.server.site
        wanted = self.headers["Range"]
        site.asked.append((self.command, self.path, wanted))
        page = site.pages.get(self.path)
        if page is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(page) - start))
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{etag(self.path, page)}"')
        self.end_headers()
        if not body:
            return
        end = len(page)
        if site.cut_once:
            site.cut_once, end, self.close_connection = False, len(page) // 2, True
        self.wfile.write(page[start:end])

    def log_message(self, *_: object) -> None:
        """Quiet."""


def etag(path: str, page: bytes) -> str:
    """As the hub has it: of a large file its SHA-256, of a small one git's SHA-1."""
    if path.endswith("safetensors"):
        return hashlib.sha256(page).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(page) + page, usedforsecurity=False).hexdigest()


@pytest.fixture
def site(monkeypatch, tmp_path) -> Iterator[Site]:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.site = Site(address=f"http://127.0.0.1:{server.server_port}")
        server.site.pages["/mn04_as_mAP_432.pt"] = TAGGER
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.site
        server.shutdown()
        thread.join()


@pytest.fixture
def tagger(site, monkeypatch):
    """The release's file, at this server."""
    tagger = replace(
        efficientat.TAGGER,
        url=f"{site.address}/mn04_as_mAP_432.pt",
        bytes=len(TAGGER),
        sha256=hashlib.sha256(TAGGER).hexdigest(),
    )
    monkeypatch.setattr(efficientat, "PUBLISHED", (tagger,))
    monkeypatch.setattr(efficientat, "TAGGER", tagger)
    return tagger


def run(capsys, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


def test_a_file_is_fetched_once_with_its_size_and_licence_and_kept_under_mgcl_home(
    tagger, site, tmp_path, capsys
) -> None:
    code, output, _ = run(capsys, "weights", "fetch", "efficientat")
    file = tmp_path / "home" / "weights" / "efficientat" / "mn04_as_mAP_432.pt"
    assert (code, file.read_bytes()) == (0, TAGGER)
    assert output.splitlines() == [
        f"mn04_as_mAP_432.pt: 0.5 MB; {tagger.licence}",
        f"mn04_as_mAP_432.pt: fetched and checked, at {file}",
    ]
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    code, output, _ = run(capsys, "weights", "fetch", "efficientat")
    assert (code, output) == (0, f"mn04_as_mAP_432.pt: is here already, at {file}\n")
    assert len(site.asked) == 1


@pytest.mark.usefixtures("tagger")
def test_a_download_that_was_cut_is_resumed(site, tmp_path, capsys) -> None:
    site.cut_once = True
    assert run(capsys, "weights", "fetch", "efficientat")[0] == 0
    first, second = (asked[2] for asked in site.asked)
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= len(TAGGER) // 2
    assert next((tmp_path / "home").rglob("*.pt")).read_bytes() == TAGGER


def test_a_file_that_is_not_the_published_one_is_removed(tagger, site, tmp_path, capsys) -> None:
    site.pages["/mn04_as_mAP_432.pt"] = TAGGER[::-1]
    code, _, errors = run(capsys, "weights", "fetch", "efficientat")
    assert code == 2
    assert f"but sha256:{tagger.sha256} is published; it is removed: run the command again" in errors
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_an_address_that_does_not_answer_says_what_to_do(tagger, site, capsys) -> None:
    del site.pages["/mn04_as_mAP_432.pt"]
    code, _, errors = run(capsys, "weights", "fetch", "efficientat")
    assert code == 2
    assert f"error: {tagger.url}: HTTP 404: not found; run the command again" in errors
    assert f"or put {tagger.url} at " in errors


def test_every_file_that_does_not_come_is_named_at_once(tagger, site, monkeypatch, capsys) -> None:
    other = replace(tagger, url=f"{site.address}/text.safetensors")
    monkeypatch.setattr(efficientat, "PUBLISHED", (tagger, other))
    del site.pages["/mn04_as_mAP_432.pt"]
    code, _, errors = run(capsys, "weights", "fetch", "efficientat")
    assert code == 2
    for each in (tagger, other):
        assert f"put {each.url} at " in errors


FETCH = """
import sys
from dataclasses import replace
from mgcl.backbones import efficientat
from mgcl.cli import main
efficientat.PUBLISHED = (replace(efficientat.ENCODER, bytes=None, sha256={}),)
main(["weights", "fetch", "efficientat"])
"""


@pytest.mark.parametrize("changed", [False, True])
def test_files_of_the_hub_are_fetched_and_checked_by_its_digests(site, tmp_path, changed: bool) -> None:
    for name, content in FILES.items():
        site.pages[f"/{REPOSITORY}/resolve/main/{name}"] = content
        site.pages[f"/{REPOSITORY}/resolve/{'0' * 40}/{name}"] = content
    hub = {
        "HF_ENDPOINT": site.address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    script = FETCH.replace("sha256={}", "sha256={'model.safetensors': 64 * '0'}") if changed else FETCH
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | hub, capture_output=True, text=True)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "home" / "weights" / "hub").rglob("snapshots/*/*")}
    if changed:
        assert done.returncode == 2, done.stderr
        assert "model.safetensors: checksum sha256:" in done.stderr
        assert "model.safetensors" not in kept
        return
    assert done.returncode == 0, done.stderr
    assert kept == FILES
    assert f"{REPOSITORY}: 0.0 MB; Apache-2.0" in done.stdout


@pytest.mark.usefixtures("hub")
def test_every_backbone_is_listed_with_what_it_needs(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path))
    monkeypatch.setenv("MGCL_MS_CLAP_WEIGHTS", "here.pth")
    code, output, _ = run(capsys, "weights", "list")
    assert code == 0
    assert output.endswith("ms_clap takes here.pth unless `--weights` is given: $MGCL_MS_CLAP_WEIGHTS names it\n")
    for backbone in set(names("backbone")) - {"tiny", "transformers_audio"}:
        for weights in load("backbone", backbone).PUBLISHED:
            (line,) = [line for line in output.splitlines() if weights.name in line and f" {backbone} " in line]
            assert weights.licence in line
    assert "mgcl weights fetch efficientat" in output


def test_a_name_that_has_no_weights_is_refused(capsys) -> None:
    assert (
        "tiny: comes with mgcl; those whose weights are fetched: efficientat"
        in run(capsys, "weights", "fetch", "tiny")[2]
    )
    assert "clap: is no backbone; those" in run(capsys, "weights", "fetch", "clap")[2]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", ["efficientat", "laion_clap", "ms_clap", "transformers_clap"])
def test_a_backbone_without_its_weights_names_the_command(name: str, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path))
    monkeypatch.delenv(f"MGCL_{name.upper()}_WEIGHTS", raising=False)
    with pytest.raises(BackboneError, match=f"mgcl weights fetch {name}"):
        load("backbone", name).load()

"""Data sets are fetched from a server of this machine's, in the layouts they are published in."""

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile

from mgcl.catalogue import load, names
from mgcl.cli import main
from mgcl.cli.data import _FETCHED
from mgcl.data import esc50, fsdkaggle18
from mgcl.data._download import Archive, fetch
from mgcl.errors import DataError

ESC50 = """filename,fold,target,category,esc10,src_file,take
1-100-A-0.wav,1,0,dog,True,100,A
2-200-B-9.wav,2,9,crow,False,200,B
"""
TRAIN = "fname,label,manually_verified,freesound_id,license\n00044347.wav,Hi-hat,0,1,CC0\n001ca53d.wav,Bark,1,2,CC0\n"
TEST = "fname,label,usage,freesound_id,license\n00326aa9.wav,Oboe,Private,3,CC0\n"


def sound(seed: int) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, 0.1 * np.random.default_rng(seed).standard_normal(220500), 44100, format="WAV")
    return content.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@dataclass
class Site:
    """What a server holds, how it misbehaves, and what it was asked for."""

    pages: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    """Answered with this status, each time."""
    cut_once: set[str] = field(default_factory=set)
    without_range: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent: int = 0
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site: Site = self.server.site
        asked = self.headers["Range"]
        site.asked.append((self.path, asked))
        page = site.pages.get(self.path)
        if page is None:
            self.send_error(site.refused.get(self.path, 404))
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not site.without_range else 0
        if asked and start >= len(page):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(page) - start))
        self.end_headers()
        end = len(page)
        if self.path in site.cut_once:
            site.cut_once.remove(self.path)
            end = len(page) // 2
            self.close_connection = True
        site.sent += end - start
        self.wfile.write(page[start:end])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site() -> Iterator[Site]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.site = Site(address=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.site
        server.shutdown()
        thread.join()


@pytest.fixture
def zenodo(site, monkeypatch) -> tuple[Archive, ...]:
    """FSDKaggle18 as Zenodo has it: four archives, and a record with their sizes and checksums."""
    contents = {
        "meta": {
            "train_post_competition.csv": TRAIN.encode(),
            "test_post_competition_scoring_clips.csv": TEST.encode(),
        },
        "doc": {"README.md": b"FSDKaggle2018"},
        "audio_train": {"00044347.wav": sound(0), "001ca53d.wav": sound(1)},
        "audio_test": {"00326aa9.wav": sound(2)},
    }
    for part, files in contents.items():
        inside = {f"FSDKaggle2018.{part}/{name}": text for name, text in files.items()}
        site.pages[f"/FSDKaggle2018.{part}.zip"] = packed(inside)
    site.pages["/record"] = json.dumps(
        {
            "files": [
                {
                    "key": path[1:],
                    "size": len(page),
                    "checksum": f"md5:{hashlib.md5(page, usedforsecurity=False).hexdigest()}",
                }
                for path, page in site.pages.items()
            ]
        }
    ).encode()
    archives = tuple(
        replace(each, url=f"{site.address}/{each.file}", checksums=f"{site.address}/record")
        for each in fsdkaggle18.ARCHIVES
    )
    monkeypatch.setattr(fsdkaggle18, "ARCHIVES", archives)
    return archives


def github(site: Site, files: dict[str, bytes], **changed: bytes) -> tuple[Archive, ...]:
    """ESC-50 as GitHub has it: one archive, and the commit's tree with every file's git checksum."""
    (archive,) = esc50.ARCHIVES
    site.pages["/esc50.zip"] = packed({f"{archive.top}/{name}": text for name, text in files.items()})
    tree = [
        {
            "path": name,
            "type": "blob",
            "size": len(text),
            "sha": hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest(),
        }
        for name, text in (files | changed).items()
    ]
    site.pages["/tree"] = json.dumps({"tree": [{"path": "audio", "type": "tree", "sha": "0"}, *tree]}).encode()
    return (replace(archive, url=f"{site.address}/esc50.zip", checksums=f"{site.address}/tree"),)


def recordings() -> dict[str, bytes]:
    return {
        "LICENSE": b"CC BY-NC",
        "README.md": b"not wanted",
        "audio/1-100-A-0.wav": sound(0),
        "audio/2-200-B-9.wav": sound(1),
        "meta/esc50.csv": ESC50.encode(),
    }


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def test_fsdkaggle18_is_fetched_once(zenodo, site, tmp_path, capsys) -> None:
    assert run("data", "fetch", "fsdkaggle18", "--root", tmp_path) == 0
    output = capsys.readouterr().out
    assert output.index("CC BY-NC or Sampling+") < output.index("3 clips, 3 classes, fsdkaggle18")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(each.contents[0] for each in zenodo)
    asked = len(site.asked)
    assert run("data", "fetch", "fsdkaggle18", "--root", tmp_path) == 0
    assert "nothing was downloaded" in capsys.readouterr().out
    assert len(site.asked) == asked


def test_esc50_is_checked_file_by_file(site, tmp_path) -> None:
    archives = github(site, recordings())
    assert fetch(archives, tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LICENSE", "audio", "meta"]
    assert len(esc50.read(tmp_path).files) == 2
    assert fetch(archives, tmp_path) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"audio/1-100-A-0.wav": b"other"}, r"1-100-A-0\.wav: .* bytes, but 5 are published"),
        ({"audio/1-100-A-0.wav": sound(7)}, r"1-100-A-0\.wav: checksum git:\w+, but git:\w+ is published"),
        ({"audio/3.wav": b"more"}, r"3\.wav: missing, but among the published files"),
    ],
)
def test_an_archive_that_differs_from_its_commit_is_removed(site, tmp_path, change, words) -> None:
    with pytest.raises(DataError, match=rf"{words}; .*esc50\.zip is removed: run the command again"):
        fetch(github(site, recordings(), **change), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_the_commit_lacks_is_refused(site, tmp_path) -> None:
    archives = github(site, recordings())
    site.pages["/esc50.zip"] = packed(
        {f"{archives[0].top}/{name}": text for name, text in (recordings() | {"audio/x.wav": b"x"}).items()}
    )
    with pytest.raises(DataError, match=r"x\.wav: not among the published files"):
        fetch(archives, tmp_path)


def test_a_cut_download_goes_on_with_the_rest_alone(zenodo, site, tmp_path) -> None:
    path = "/FSDKaggle2018.audio_train.zip"
    size = len(site.pages[path])
    site.cut_once.add(path)
    assert fetch(zenodo[-1:], tmp_path) == 1
    first, second = [asked for each, asked in site.asked if each == path]
    assert first is None
    kept = int((second or "").removeprefix("bytes=").removesuffix("-"))
    assert size // 2 - 65536 < kept <= size // 2
    assert site.sent == len(site.pages["/record"]) + size // 2 + size - kept


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_what_an_earlier_process_left_is_kept(zenodo, site, tmp_path, share) -> None:
    path = "/FSDKaggle2018.audio_train.zip"
    have = int(share * len(site.pages[path]))
    (tmp_path / f"{path[1:]}.part").write_bytes(site.pages[path][:have])
    assert fetch(zenodo[-1:], tmp_path) == 1
    assert site.asked[-1] == (path, f"bytes={have}-")
    assert (tmp_path / "FSDKaggle2018.audio_train" / "001ca53d.wav").read_bytes() == sound(1)


def test_a_server_that_cannot_resume_sends_all_again(zenodo, site, tmp_path) -> None:
    site.without_range = True
    site.cut_once.add("/FSDKaggle2018.audio_train.zip")
    assert fetch(zenodo[-1:], tmp_path) == 1
    assert (tmp_path / "FSDKaggle2018.audio_train" / "001ca53d.wav").read_bytes() == sound(1)


@pytest.mark.parametrize("change", [lambda page: page[:-1] + b"x", lambda page: page + b"x"])
def test_a_wrong_checksum_or_size_removes_the_file_and_the_next_try_mends_it(zenodo, site, tmp_path, change) -> None:
    path = "/FSDKaggle2018.audio_test.zip"
    whole, site.pages[path] = site.pages[path], change(site.pages[path])
    with pytest.raises(DataError, match=r"audio_test\.zip: .* published; .*is removed: run the command again"):
        fetch(zenodo, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FSDKaggle2018.doc", "FSDKaggle2018.meta"]
    site.pages[path] = whole
    assert fetch(zenodo, tmp_path) == 2


def test_a_zip_that_was_put_there_by_hand_is_checked_and_used(zenodo, site, tmp_path) -> None:
    (tmp_path / zenodo[0].file).write_bytes(site.pages[f"/{zenodo[0].file}"])
    assert fetch(zenodo[:1], tmp_path) == 1
    assert [path for path, _ in site.asked] == ["/record"]


@pytest.mark.parametrize(
    "name", ["../outside.wav", "/outside.wav", "..\\outside.wav", "C:\\outside.wav", "audio/../../x"]
)
def test_an_entry_that_leads_out_of_the_folder_is_named_and_nothing_is_unpacked(site, tmp_path, name) -> None:
    archives = github(site, recordings())
    site.pages["/esc50.zip"] = packed({f"{archives[0].top}/LICENSE": b"", name: b"x"})
    with pytest.raises(DataError, match="leads out of the folder") as caught:
        fetch(archives, tmp_path / "root")
    assert repr(name) in str(caught.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["root"]


def test_a_link_is_refused(site, tmp_path) -> None:
    archives = github(site, recordings())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo(f"{archives[0].top}/audio")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    site.pages["/esc50.zip"] = content.getvalue()
    with pytest.raises(DataError, match=r"/audio' leads out of the folder"):
        fetch(archives, tmp_path)


@pytest.mark.parametrize(
    ("page", "words"),
    [(b"<html>", "not a whole zip file"), (packed({"other/a": b""}), r"esc50\.zip: lacks audio")],
)
def test_what_is_no_such_archive_is_refused(site, tmp_path, page, words) -> None:
    archives = github(site, recordings())
    site.pages["/esc50.zip"] = page
    with pytest.raises(DataError, match=words):
        fetch(archives, tmp_path)


def test_an_address_that_is_gone_says_what_to_do(zenodo, site, tmp_path, capsys) -> None:
    del site.pages["/FSDKaggle2018.meta.zip"]
    assert run("data", "fetch", "fsdkaggle18", "--root", tmp_path) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert f"{zenodo[0].url}: HTTP 404: not found; run the command again" in line
    assert f"or unpack {zenodo[0].url} by hand: FSDKaggle2018.meta belongs in {tmp_path}" in line


def test_no_network_is_one_line(tmp_path) -> None:
    nowhere = Archive("http://127.0.0.1:9/a.zip", "http://127.0.0.1:9/list", ("a",))
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/list: ConnectionError; .* by hand: a belongs in"):
        fetch([nowhere], tmp_path)


def test_a_list_that_has_changed_is_no_reason_to_skip_the_check(zenodo, site, tmp_path) -> None:
    for page in (b'{"files": [{"name": "x"}]}', b"[]"):
        site.pages["/record"] = page
        with pytest.raises(DataError, match=r"record: not the list of checksums it was"):
            fetch(zenodo, tmp_path)
    site.pages["/record"] = b'{"files": []}'
    with pytest.raises(DataError, match="not among the published files"):
        fetch(zenodo, tmp_path)


def test_what_is_not_published_cannot_be_fetched(capsys, tmp_path) -> None:
    assert run("data", "fetch", "folder", "--root", tmp_path) == 2
    assert "mgcl does not download folder, only esc50" in capsys.readouterr().err


def tarred(site: Site, *entries: tarfile.TarInfo) -> tuple[Archive]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for entry in entries:
            entry.size = 4 if entry.isfile() else 0
            archive.addfile(entry, io.BytesIO(b"some"))
    page = site.pages["/a.tar.gz"] = content.getvalue()
    digest = hashlib.md5(page, usedforsecurity=False).hexdigest()
    listed = {"key": "a.tar.gz", "size": len(page), "checksum": f"md5:{digest}"}
    site.pages["/record"] = json.dumps({"files": [listed]}).encode()
    return (Archive(f"{site.address}/a.tar.gz", f"{site.address}/record", ("audio",), top="top"),)


def test_a_tar_file_is_unpacked_like_a_zip(site, tmp_path) -> None:
    assert fetch(tarred(site, tarfile.TarInfo("top/audio/1.wav"), tarfile.TarInfo("top/README")), tmp_path) == 1
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {"audio", "audio/1.wav"}


@pytest.mark.parametrize("name", ["../outside.wav", "/outside.wav", "link"])
def test_an_entry_of_a_tar_file_that_leads_out_of_the_folder_is_refused(site, tmp_path, name) -> None:
    entry = tarfile.TarInfo(name)
    if name == "link":
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hosts"
    with pytest.raises(DataError, match="leads out of the folder"):
        fetch(tarred(site, entry), tmp_path / "root")
    assert not list((tmp_path / "root").iterdir())
    assert not (tmp_path / "outside.wav").exists()


def test_help_names_the_data_sets_that_are_downloaded() -> None:
    listed = set(_FETCHED.replace(" or ", ", ").split(", "))
    assert listed == {name for name in names("dataset") if hasattr(load("dataset", name), "ARCHIVES")}

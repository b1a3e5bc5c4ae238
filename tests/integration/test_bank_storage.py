"""Banks on object storage: S3 as moto's server speaks it, and real processes that copy, wait and are killed."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from pyarrow import fs
from werkzeug.serving import WSGIRequestHandler, make_server

from mgcl.errors import BankError
from mgcl.features import FeatureBank
from mgcl.features.copies import nearby
from tests.generated_bank import write_generated_bank, write_generated_shards

FILES = ["bank.json", "classes.arrow", "clips.arrow"]
COPIER = """
import sys
from mgcl.features import FeatureBank
from mgcl.features.copies import nearby
print("asks", flush=True)
print(FeatureBank.open(nearby(*sys.argv[1:])).digest)
"""


@dataclass
class Storage:
    """An S3 server of this machine's, and what it was asked for."""

    address: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    """Someone waits for the clips."""
    released: threading.Event = field(default_factory=threading.Event)
    """The clips are sent to whoever asks."""

    def location(self, bucket: str = "banks") -> str:
        return f"s3://{bucket}/generated?endpoint_override={self.address}&scheme=http&region=us-east-1"

    def put(self, bank: FeatureBank) -> None:
        system, folder = fs.FileSystem.from_uri(f"{self.location()}&allow_bucket_creation=true")
        system.create_dir("banks")
        system.delete_dir_contents(folder, missing_dir_ok=True)
        fs.copy_files(str(bank.path), folder, source_filesystem=fs.LocalFileSystem(), destination_filesystem=system)
        self.asked.clear()

    def sent(self) -> list[str]:
        """The files whose content was asked for, in order."""
        return [Path(path).name for method, path in self.asked if method == "GET"]


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def node(tmp_path) -> Path:
    return tmp_path / "node" / "banks"


@pytest.fixture
def storage(monkeypatch, node) -> Iterator[Storage]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("MGCL_NODE_DIR", str(node.parent))
    there, s3 = Storage(), DomainDispatcherApplication(create_backend_app)
    there.released.set()

    def answer(environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        there.asked.append((method, path))
        if method == "GET" and path.endswith("clips.arrow"):
            there.held.set()
            there.released.wait(60)
        return s3(environ, start_response)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Quiet)
    there.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield there
    there.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def copier(storage: Storage) -> subprocess.Popen[str]:
    """A process that copies the bank and opens it, as far as its first request."""
    process = subprocess.Popen([sys.executable, "-c", COPIER, storage.location()], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "asks\n"
    return process


def test_a_bank_on_s3_is_the_local_one(storage, bank, node) -> None:
    storage.put(bank)
    copy = nearby(storage.location())
    assert copy == node / bank.digest
    assert FeatureBank.open(copy).digest == bank.digest
    assert sorted(storage.sent()) == FILES


def test_what_is_here_is_not_asked_for(storage, bank) -> None:
    storage.put(bank)
    copy = nearby(storage.location())
    storage.asked.clear()
    assert nearby(storage.location(), digest=bank.digest) == copy
    assert storage.asked == []
    assert nearby(storage.location()) == copy  # whoever plans asks which bank it is, not for the bank
    assert [method for method, _ in storage.asked] == ["HEAD"] * 3


def test_two_processes_copy_once(storage, bank) -> None:
    storage.put(bank)
    storage.released.clear()
    processes = copier(storage), copier(storage)
    assert storage.held.wait(30)
    storage.released.set()
    assert [process.communicate(timeout=60)[0] for process in processes] == [f"{bank.digest}\n"] * 2
    assert sorted(storage.sent()) == FILES


def test_a_killed_copy_is_taken_for_nothing(storage, bank, node) -> None:
    storage.put(bank)
    storage.released.clear()
    process = copier(storage)
    assert storage.held.wait(30)
    process.kill()
    process.communicate(timeout=60)
    (left,) = node.glob(".draft-*/bank")
    assert {file.name for file in left.iterdir() if file.stat().st_size} == {"bank.json", "classes.arrow"}
    assert not (node / bank.digest).exists()
    storage.released.set()
    assert FeatureBank.open(nearby(storage.location(), digest=bank.digest)).digest == bank.digest
    assert not list(node.glob(".draft-*"))


def test_a_changed_bank_is_refused_by_digest_and_copied_by_who_plans(storage, bank, tmp_path) -> None:
    changed = write_generated_bank(tmp_path / "changed", classes=6, clips=18, segments=5, d=24, seed=1)
    storage.put(changed)
    refused = rf"^s3://banks/generated\?.*: digest {changed.digest}, not {bank.digest}: changed since the sweep"
    for _ in range(2):  # every worker of a machine is refused by one copy
        with pytest.raises(BankError, match=refused):
            nearby(storage.location(), digest=bank.digest)
    assert sorted(storage.sent()) == FILES
    assert FeatureBank.open(nearby(storage.location())).digest == changed.digest
    storage.put(bank)
    assert FeatureBank.open(nearby(storage.location())).digest == bank.digest
    assert sorted(storage.sent()) == FILES


def test_of_shards_on_s3_the_rows_in_use_are_read(storage, tmp_path) -> None:
    made = write_generated_shards(tmp_path / "made", classes=2, clips=20)
    storage.put(made)
    bank = FeatureBank.open(nearby(storage.location()))
    assert (bank.digest, bank.clip_records) == (made.digest, made.clip_records)
    storage.asked.clear()
    rows = np.array([3, 4, 30])
    assert np.array_equal(bank.segment_embeddings[rows], made.segment_embeddings[rows])
    assert sorted(storage.sent()) == ["clips-00000.arrow", "clips-00001.arrow"]
    storage.asked.clear()
    assert np.array_equal(FeatureBank.open(bank.path).segment_embeddings[rows], made.segment_embeddings[rows])
    assert storage.asked == []
    system, folder = fs.FileSystem.from_uri(storage.location())
    system.delete_file(f"{folder}/clips-00001.arrow")
    with pytest.raises(BankError, match=r"s3://banks/generated\?.*clips-00001.arrow"):
        bank.segment_embeddings[31]


def test_no_such_bucket_file_or_server(storage, bank) -> None:
    storage.put(bank)
    with pytest.raises(BankError, match=r"s3://nowhere/generated\?.*: no bank\.json there; a feature bank is"):
        nearby(storage.location("nowhere"))
    system, folder = fs.FileSystem.from_uri(storage.location())
    system.delete_file(f"{folder}/clips.arrow")
    with pytest.raises(BankError, match=r"s3://banks/generated\?.*: no clips\.arrow there"):
        nearby(storage.location())
    with pytest.raises(BankError, match=r"cannot be copied to .* \(.*Could not connect.*\); check the address"):
        nearby("s3://banks/generated?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1")

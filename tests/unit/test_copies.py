"""Banks are copied to this machine's disk when they must be, and then once."""

import os
import re
import resource
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from mgcl.errors import BankError
from mgcl.features import FeatureBank
from mgcl.features.copies import nearby
from tests.generated_bank import write_generated_bank

FILES = {"bank.json", "clips.arrow", "classes.arrow"}
Mount = namedtuple("Mount", "mountpoint fstype")


@pytest.fixture(autouse=True)
def node(tmp_path, monkeypatch) -> Path:
    """Where this machine keeps its banks."""
    monkeypatch.setenv("MGCL_NODE_DIR", str(tmp_path / "node"))
    return tmp_path / "node" / "banks"


@pytest.fixture
def stored(bank, tmp_path) -> Path:
    """The bank in a folder of its own, to be changed."""
    shutil.copytree(bank.path, tmp_path / "storage" / "bank")
    return tmp_path / "storage" / "bank"


def copies(node: Path) -> list[str]:
    """What lies in the node's folder, but for links and the lock."""
    return sorted(each.name for each in node.iterdir() if not each.is_symlink() and each.name != ".lock")


def mount(monkeypatch, *mounts: tuple[Path, str]) -> None:
    """Let this machine have these file systems, under an ext4 root."""
    found = [Mount("/", "ext4"), *(Mount(str(point), kind) for point, kind in mounts)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: found)


def test_a_local_folder_is_the_bank_itself(bank, node, tmp_path) -> None:
    assert nearby(bank.path) == nearby(str(bank.path), digest="another") == bank.path
    assert nearby(tmp_path / "nowhere") == tmp_path / "nowhere"
    assert not node.exists()


def test_a_copy_is_the_bank_under_its_digest(bank, stored, node) -> None:
    (stored / "notes.txt").write_text("not a bank's file")
    copy = nearby(stored.as_uri())
    assert copy == node / bank.digest
    assert FeatureBank.open(copy).digest == bank.digest
    assert {each.name for each in copy.iterdir()} == FILES | {"hashes.json"}


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "lustre", "fuse", "fuse.s3fs"])
def test_a_network_file_system_is_copied_from(bank, stored, node, kind, monkeypatch) -> None:
    mount(monkeypatch, (stored.parent, kind))
    assert nearby(stored) == nearby(str(stored), digest=bank.digest) == node / bank.digest


@pytest.mark.parametrize("kind", ["ext4", "xfs", "overlay", "tmpfs", "fuseblk", "fuse.fuse-overlayfs"])
def test_a_local_file_system_is_not(stored, kind, monkeypatch) -> None:
    mount(monkeypatch, (stored.parent, kind))
    assert nearby(stored) == stored


def test_the_innermost_and_last_mount_counts(bank, stored, node, monkeypatch) -> None:
    mount(monkeypatch, (stored.parent, "autofs"), (stored.parent, "nfs4"), (stored.parent.parent, "xfs"))
    link = stored.parent.parent / "link"
    link.symlink_to(stored)
    assert nearby(link) == node / bank.digest
    mount(monkeypatch, (stored.parent, "nfs4"), (stored, "ext4"))
    assert nearby(link) == link


def test_with_a_digest_storage_may_be_gone(bank, stored) -> None:
    copy = nearby(stored.as_uri())
    shutil.rmtree(stored)
    assert nearby(stored.as_uri(), digest=bank.digest) == copy
    with pytest.raises(BankError, match=r"file:///.*/bank: no bank\.json there; a feature bank is"):
        nearby(stored.as_uri())


def test_another_bank_at_the_address(bank, stored, node) -> None:
    old = nearby(stored.as_uri())
    shutil.rmtree(stored)
    changed = write_generated_bank(stored, classes=6, clips=16, segments=5, d=24, seed=1)
    assert nearby(stored.as_uri(), digest=bank.digest) == old
    assert nearby(stored.as_uri()) == node / changed.digest
    expected = f"{stored.as_uri()}: digest {changed.digest}, not {'0' * 64}: changed since the sweep was planned"
    with pytest.raises(BankError, match=re.escape(expected)):
        nearby(stored.as_uri(), digest="0" * 64)
    assert copies(node) == sorted([bank.digest, changed.digest])


def test_a_copy_that_lost_a_file_is_made_again(bank, stored) -> None:
    copy = nearby(stored.as_uri())
    (copy / "clips.arrow").unlink()
    assert nearby(stored.as_uri(), digest=bank.digest) == copy
    assert FeatureBank.open(copy).digest == bank.digest
    shutil.rmtree(copy)
    assert FeatureBank.open(nearby(stored.as_uri())).digest == bank.digest


def test_new_times_alone_make_no_second_copy(bank, stored, node) -> None:
    first = nearby(stored.as_uri())
    inode = (first / "clips.arrow").stat().st_ino
    os.utime(stored / "clips.arrow", (1, 1))
    assert nearby(stored.as_uri()) == first
    assert (first / "clips.arrow").stat().st_ino == inode
    assert copies(node) == [bank.digest]


def test_a_bank_that_is_none_leaves_nothing(stored, node) -> None:
    content = (stored / "clips.arrow").read_bytes()
    (stored / "clips.arrow").write_bytes(content[: len(content) // 2])
    with pytest.raises(BankError, match=rf"^{stored.as_uri()}/clips\.arrow: truncated"):
        nearby(stored.as_uri())
    assert copies(node) == []


def test_a_bank_that_is_being_written_is_refused(stored, node, monkeypatch) -> None:
    copy_content = shutil.copyfileobj

    def copy_while_written(*arguments) -> None:
        copy_content(*arguments)
        os.utime(stored / "bank.json")

    monkeypatch.setattr(shutil, "copyfileobj", copy_while_written)
    with pytest.raises(BankError, match="/bank: changed while it was copied; run the command again"):
        nearby(stored.as_uri())
    assert copies(node) == []


def test_a_disk_that_takes_no_more(stored, node) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(BankError, match=r"/bank: cannot be copied to .*/node/banks \(.*File too large\); check"):
            nearby(stored.as_uri())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert copies(node) == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://host/bank", r"ftp://host/bank: cannot be copied .*Unrecognized filesystem type"),
        ("s3://me:secret@bucket/bank", r"^s3://\.\.\.@bucket/bank: an address must not hold credentials"),
    ],
)
def test_a_wrong_address_is_refused(address, words) -> None:
    with pytest.raises(BankError, match=words):
        nearby(address)


def test_the_folder_of_another_user_is_not_trusted(bank, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("MGCL_NODE_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = tmp_path / f"mgcl-{os.getuid()}"
    assert nearby(bank.path.as_uri()) == own / "banks" / bank.digest
    assert own.stat().st_mode & 0o777 == 0o700
    stranger = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: stranger)
    with pytest.raises(BankError, match=f"mgcl-{stranger}: belongs to another user; set MGCL_NODE_DIR"):
        nearby(bank.path.as_uri())

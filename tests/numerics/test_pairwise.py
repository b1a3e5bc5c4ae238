"""The all-pairs store says what the similarity says, whatever is asked of it and whoever filled it."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch

from mgcl.errors import MgclError, MgclWarning
from mgcl.home import similarity_limit
from mgcl.transport import tiles
from mgcl.transport.matching import Matching
from mgcl.transport.pairwise import ComputedSimilarities, SimilarityStore
from mgcl.transport.similarity import similarity

CLIPS, SEGMENTS, D = 26, 4, 12
MATCHINGS = {
    "transport": Matching(),
    "blurred": Matching(epsilon=0.5, entropy_weight=0.3),
    "uniform": Matching("uniform"),
    "best-match": Matching("best-match"),
}


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch) -> None:
    """Four tiles an edge, and blocks that do not divide them."""
    monkeypatch.setattr(sys.modules["mgcl.transport.pairwise"], "_EDGE", 8)
    monkeypatch.setattr(sys.modules["mgcl.transport.similarity"], "_COLUMNS", 7)
    monkeypatch.setattr(sys.modules["mgcl.transport.similarity"], "_CPU_NUMBERS", 5 * 7 * SEGMENTS**2)


@pytest.fixture
def segments() -> np.ndarray:
    array = np.random.default_rng(0).standard_normal((CLIPS, SEGMENTS, D)).astype(np.float32)
    array[7] = 0  # silence
    return array


def store(
    segments: np.ndarray,
    root: Path | None = None,
    digest: str = "d" * 64,
    kind: type[SimilarityStore] = SimilarityStore,
) -> SimilarityStore:
    labels = np.random.default_rng(1).choice(list("abcde"), CLIPS)
    return kind(segments, labels, digest=digest, root=root)


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("name", MATCHINGS)
def test_a_look_up_is_the_similarity(name, on_disk, segments, tmp_path) -> None:
    matching = replace(MATCHINGS[name], tolerance=1e-6, max_iterations=5000)
    rows, columns = np.random.default_rng(2).choice(CLIPS, (2, 15))
    known = store(segments, tmp_path if on_disk else None).look_up(rows, columns, matching)
    x, y = (torch.from_numpy(segments[chosen]) for chosen in (rows, columns))
    assert known.value.numpy() == pytest.approx(similarity(x, y, matching).value.numpy(), abs=1e-5)
    assert known.converged.all()


@pytest.mark.parametrize("name", MATCHINGS)
def test_what_is_computed_in_passing_is_what_is_kept(name, segments) -> None:
    rows, columns = np.random.default_rng(2).choice(CLIPS, (2, 15))
    passing = store(segments, kind=ComputedSimilarities).look_up(rows, columns, MATCHINGS[name])
    kept = store(segments).look_up(rows, columns, MATCHINGS[name])
    assert passing.value.numpy() == pytest.approx(kept.value.numpy(), abs=1e-6)
    assert torch.equal(passing.converged, kept.converged)


@pytest.mark.parametrize("name", MATCHINGS)
def test_pairs_of_a_large_bank_are_those_of_a_store_within_the_tolerance(name, segments, monkeypatch) -> None:
    """A store solves some of its pairs in the other order."""
    monkeypatch.setattr(sys.modules["mgcl.transport.pairwise"], "LARGEST_STORED", CLIPS - 1)
    matching = replace(MATCHINGS[name], tolerance=1e-6, max_iterations=5000)
    rows, columns = np.random.default_rng(2).choice(CLIPS, (2, 15))
    computed = store(segments, kind=ComputedSimilarities).look_up(rows, columns, matching)
    kept = store(segments).look_up(rows, columns, matching)
    assert computed.value.numpy() == pytest.approx(kept.value.numpy(), abs=1e-5)
    assert torch.equal(computed.converged, kept.converged)


def test_a_whole_tile_is_computed_once_a_quarter_of_it_was_looked_up(segments, monkeypatch) -> None:
    passing, computed = store(segments, kind=ComputedSimilarities), []
    monkeypatch.setattr(
        passing, "_compute", lambda i, j, m: computed.append((i, j)) or type(passing)._compute(passing, i, j, m)
    )
    clips = passing._order[:4]  # of the first tile, which has 8 times 8 pairs
    first = passing.look_up(clips, clips, Matching(epsilon=0.5)).value
    assert computed == []
    again = passing.look_up(clips, clips, Matching(epsilon=0.5)).value
    passing.look_up(clips, clips, Matching(epsilon=0.5))
    assert computed == [(0, 0)]
    assert again.numpy() == pytest.approx(first.numpy(), abs=1e-6)


def test_unconverged_pairs_are_remembered(segments, tmp_path) -> None:
    matching, every = Matching(epsilon=0.02, max_iterations=4), np.arange(CLIPS)
    first = store(segments, tmp_path).look_up(every, every, matching)
    again = store(segments, tmp_path).look_up(every, every, matching)
    assert 0 < int((~first.converged).sum()) < CLIPS * CLIPS
    assert torch.equal(first.converged, again.converged)
    assert torch.equal(first.value, again.value)


def test_what_was_kept_is_not_computed_again(segments, tmp_path, monkeypatch) -> None:
    every = np.arange(CLIPS)
    first = store(segments, tmp_path).look_up(every, every, Matching(entropy_weight=0.2))
    monkeypatch.setattr(SimilarityStore, "_compute", None)
    again = store(segments, tmp_path).look_up(every, every, Matching(entropy_weight=0.2))
    assert torch.equal(first.value, again.value)
    store(segments, tmp_path).look_up(every, every, Matching(entropy_weight=0.9, gradient="exact"))


def test_a_pair_of_clips_is_solved_once_both_ways(segments, tmp_path) -> None:
    every, known = np.arange(CLIPS), store(segments, tmp_path)
    value = known.look_up(every, every, Matching(epsilon=0.5)).value
    assert len(list(tmp_path.glob("*/*.npy"))) == 4 * 5 / 2
    assert value.T.numpy() == pytest.approx(value.numpy(), abs=1e-4)


def test_only_tiles_of_the_asked_classes_are_filled(segments, tmp_path) -> None:
    labels = np.repeat(list("abcdefgh"), 4)[:CLIPS]
    known = SimilarityStore(segments, labels, digest="d", root=tmp_path)
    known.look_up(np.arange(4), np.arange(4), Matching())
    assert [file.name for file in tmp_path.glob("*/*.npy")] == ["0000-0000.npy"]


@pytest.mark.parametrize(
    "change",
    [{"epsilon": 0.2}, {"tolerance": 1e-3}, {"max_iterations": 7}, {"kind": "uniform"}, {"kind": "best-match"}],
)
def test_another_matching_is_another_store(change, segments, tmp_path) -> None:
    for matching in (Matching(), replace(Matching(), **change), Matching(max_iterations=100)):
        store(segments, tmp_path).look_up(np.arange(3), np.arange(3), matching)
    store(segments, tmp_path, digest="e" * 64).look_up(np.arange(3), np.arange(3), Matching())
    assert len(tiles.stores(tmp_path)) == 3  # 100 iterations are the default at this epsilon


@pytest.mark.parametrize("harm", [b"", b"\x93NUMPY", b"no numpy file at all"])
def test_a_broken_tile_is_computed_again(harm, segments, tmp_path) -> None:
    some = np.arange(10)
    first = store(segments, tmp_path).look_up(some, some, Matching())
    for file in tmp_path.glob("*/*.npy"):
        file.write_bytes(harm)
    again = store(segments, tmp_path).look_up(some, some, Matching())
    assert torch.equal(first.value, again.value)
    assert all(np.load(file).shape[0] == tiles.FIELDS for file in tmp_path.glob("*/*.npy"))


def test_a_tile_of_another_shape_is_computed_again(segments, tmp_path) -> None:
    some = np.arange(10)
    first = store(segments, tmp_path).look_up(some, some, Matching())
    for file in tmp_path.glob("*/*.npy"):
        np.save(file, np.zeros((3, 2, 2), np.float32))
    assert torch.equal(first.value, store(segments, tmp_path).look_up(some, some, Matching()).value)


def test_tiles_that_may_only_be_read_are_read(segments, tmp_path, monkeypatch) -> None:
    """Another user's: no lock can be taken, no time be set."""
    some = np.arange(10)
    first = store(segments, tmp_path).look_up(some, some, Matching())
    assert all(file.stat().st_mode & 0o044 == 0o044 & ~umask() for file in tmp_path.glob("*/*.npy"))

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(tiles, "FileLock", None)
    monkeypatch.setattr("os.utime", refused)
    assert torch.equal(first.value, store(segments, tmp_path).look_up(some, some, Matching()).value)


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_where_nothing_can_be_written_it_says_so_and_goes_on(segments, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    some = np.arange(10)
    known = store(segments, tmp_path / "file")
    with pytest.warns(MgclWarning, match="cannot be written .*: similarities stay in memory"):
        value = known.look_up(some, some, Matching()).value
    assert torch.equal(value, store(segments).look_up(some, some, Matching()).value)


def test_the_least_recently_opened_tiles_go_first(segments, tmp_path, monkeypatch) -> None:
    every, known = np.arange(CLIPS), store(segments, tmp_path)
    known.look_up(every, every, Matching())
    files = sorted(tmp_path.glob("*/*.npy"))
    for age, file in enumerate(files):
        os.utime(file, (1000 + age, 1000 + age))
    size = sum(file.stat().st_size for file in files)
    fresh = store(segments, tmp_path)
    fresh.look_up(fresh._order[:1], fresh._order[:1], Matching())  # opens the oldest tile
    monkeypatch.setenv("MGCL_SIMILARITY_GB", str((size - 100) / 1e9))
    fresh.look_up(np.arange(1), np.arange(1), Matching("uniform"))
    left = {file.name for file in tmp_path.glob(f"{files[0].parent.name}/*.npy")}
    assert files[0].name in left
    assert files[1].name not in left
    assert files[-1].name in left
    assert sum(file.stat().st_size for file in tmp_path.glob("*/*.npy")) <= size - 100
    assert torch.equal(
        known.look_up(every, every, Matching()).value, store(segments).look_up(every, every, Matching()).value
    )


@pytest.mark.parametrize("limit", ["0", "-1", "many", "nan"])
def test_a_limit_that_is_none_is_refused(limit, monkeypatch) -> None:
    monkeypatch.setenv("MGCL_SIMILARITY_GB", limit)
    with pytest.raises(MgclError, match=f"MGCL_SIMILARITY_GB must be a positive number of gigabytes, got '{limit}'"):
        similarity_limit()


WORKER = """
import sys, time
from pathlib import Path
from mgcl.transport import tiles
def slow():
    print("computing", flush=True)
    time.sleep(600)
tiles.stored(Path(sys.argv[1]), (4, 4), {"bank": "b"}, slow)
"""


def test_of_two_workers_one_computes_and_both_have_it(tmp_path) -> None:
    """Two open files of one lock exclude each other, be they of two threads or of two processes."""
    computed, waiting = [], Barrier(2)

    def slow() -> np.ndarray:
        computed.append(1)
        time.sleep(0.3)  # the other one comes to the lock meanwhile
        return np.full((tiles.FIELDS, 4, 4), 5, np.float32)

    def work(_: int) -> float:
        waiting.wait(60)
        return float(tiles.stored(tmp_path / "store" / "0000-0000.npy", (4, 4), {"bank": "b"}, slow).sum())

    with ThreadPoolExecutor(2) as workers:
        assert list(workers.map(work, range(2))) == [240.0, 240.0]
    assert computed == [1]


def test_a_worker_that_dies_leaves_no_half_tile_and_no_lock(tmp_path) -> None:
    file, draft = tmp_path / "store" / "0000-0000.npy", tmp_path / "store" / ".draft-left"
    dying = subprocess.Popen([sys.executable, "-c", WORKER, str(file)], stdout=subprocess.PIPE, text=True)
    assert dying.stdout is not None
    assert dying.stdout.readline() == "computing\n"
    draft.write_bytes(b"half")
    os.utime(draft, (time.time() - 7200,) * 2)
    dying.send_signal(signal.SIGKILL)
    dying.communicate()
    assert not list(tmp_path.glob("*/*.npy"))
    tile = np.full((tiles.FIELDS, 4, 4), 5, np.float32)
    assert (tiles.stored(file, (4, 4), {"bank": "b"}, lambda: tile) == tile).all()
    assert not list(tmp_path.glob("*/.draft-*"))

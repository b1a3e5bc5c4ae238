"""An index of 100,000 windows: opening it, and a search, beside numpy's brute force on the same vectors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mgcl.classifier.index.building import PART
from mgcl.classifier.index.header import Header, write_header
from mgcl.classifier.index.index import Index
from mgcl.classifier.index.parts import Part, State, write_part
from mgcl.classifier.index.search import TOP, Query, find

WINDOWS, SEGMENTS, D, PER_RECORDING = 100_000, 16, 512, 500
GROUP = f"{WINDOWS:,} windows of {SEGMENTS} segments, d = {D}"


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An index of drawn vectors, laid out as the command lays it out."""
    folder, random = tmp_path_factory.mktemp("index"), np.random.default_rng(0)
    write_header(folder, Header("drawn", None, "0", D, 32_000, 5.0, SEGMENTS, 5 / SEGMENTS, 5.0, 2.5, "average"))
    for number in range(WINDOWS // PART):
        names = [f"/recordings/{number:03}-{each}.wav" for each in range(PART // PER_RECORDING)]
        starts = np.tile(np.arange(PER_RECORDING) * 2.5, len(names))
        segments = unit(random.standard_normal((PART, SEGMENTS, D), np.float32))
        part = Part(
            recordings=names,
            states={name: State(0, 0, first=0, complete=True) for name in names},
            recording=np.repeat(np.arange(len(names), dtype=np.int32), PER_RECORDING),
            starts=starts,
            stops=starts + 5,
            silent=np.zeros(PART, bool),
            clip=unit(segments.mean(1)),
            segments=segments.astype(np.float16),
        )
        write_part(folder, number, part)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_core() -> None:
    torch.set_num_threads(1)


def test_opening(timed, folder) -> None:
    timed(f"opening an index of {GROUP}", "mgcl: Index.open", lambda: Index.open(folder))


def test_finding(timed, folder) -> None:
    index = Index.open(folder)
    query = Query(torch.from_numpy(index.clip(np.array([7]))[0]), torch.from_numpy(index.segments(np.array([7]))[0]))
    timed(f"the {TOP} best of {GROUP}", "mgcl: find, with transport", lambda: find(index, query))
    assert (find(index, query)[0].recording, find(index, query)[0].start) == ("/recordings/000-0.wav", 17.5)


def test_finding_by_numpy(timed, folder) -> None:
    vectors = np.concatenate([part.clip for part in Index.open(folder).parts])
    timed(
        f"the {TOP} best of {GROUP}",
        "numpy: cosines in memory, no transport",
        lambda: np.argsort(-(vectors @ vectors[7]))[:TOP],
    )

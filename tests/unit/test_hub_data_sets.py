"""Data sets of the Hugging Face hub, from a server on this machine that answers as the hub does."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from huggingface_hub import constants

from mgcl.data._hub import HubDataset
from mgcl.data._opening import opened
from mgcl.errors import DataError
from tests.integration.test_weights_command import Handler, Site

COMMIT = 40 * "0"
NAME = f"hub:mteb/esc50@{COMMIT}"
AUDIO = {"_type": "Audio"}
LABEL = {"names": ["dog", "crow"], "_type": "ClassLabel"}


def sound(seed: int) -> dict[str, Any]:
    content = io.BytesIO()
    samples = 0.1 * np.random.default_rng(seed).standard_normal(800)
    soundfile.write(content, samples, 8000, format="FLAC")
    return {"bytes": content.getvalue(), "path": f"{seed}.flac"}


def parquet(features: dict[str, Any] | None = None, **columns: list[Any]) -> bytes:
    """A parquet file with one row per group, and the hub's own description of its columns."""
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    content = io.BytesIO()
    pq.write_table(table, content, row_group_size=1)
    return content.getvalue()


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Site]:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.block_on_close = False  # the hub's library keeps its connection open
        server.site = Site(address=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", server.site.address)
        template = f"{server.site.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server.site
        server.shutdown()
        thread.join()


def publish(hub: Site, files: dict[str, bytes], repository: str = "mteb/esc50", **card: str) -> None:
    for name, content in files.items():
        hub.pages[f"/datasets/{repository}/resolve/{COMMIT}/{name}"] = content
    about = {"id": repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files], "cardData": card}
    hub.pages[f"/api/datasets/{repository}/revision/{COMMIT}"] = json.dumps(about).encode()


def test_classes_splits_and_folds_are_read_once_and_then_without_the_hub(hub, tmp_path) -> None:
    features = {"audio": AUDIO, "label": LABEL, "fold": {"dtype": "int64", "_type": "Value"}}
    files = {
        "data/test-00000-of-00001.parquet": parquet(features, audio=[sound(2)], label=[1], fold=[5]),
        "data/train-00000-of-00001.parquet": parquet(features, audio=[sound(0), sound(1)], label=[0, 1], fold=[1, 2]),
    }
    publish(hub, files | {"README.md": b""}, license="cc-by-nc-3.0")
    module, root = opened(NAME, None)
    dataset = module.read(root)
    assert root == tmp_path / "home" / "data" / "mteb--esc50" / COMMIT / "default"
    assert (dataset.name, dataset.revision, dataset.licence) == ("esc50", f"mteb/esc50@{COMMIT}", "cc-by-nc-3.0")
    assert [(clip.clip_id, clip.label, clip.fold, clip.split) for clip in dataset.files] == [
        ("00000/000000", "crow", 5, "test"),
        ("00001/000000", "dog", 1, "train"),
        ("00001/000001", "crow", 2, "train"),
    ]
    assert [clip.path.read_bytes() for clip in dataset.files] == [sound(seed)["bytes"] for seed in (2, 0, 1)]
    hub.pages.clear()
    (root / "clips" / "00001.jsonl").read_text()
    assert module.read(root) == dataset


def test_an_interrupted_download_goes_on_with_the_files_that_are_missing(hub) -> None:
    first, second = (f"data/train-0000{place}-of-00002.parquet" for place in range(2))
    whole = {name: parquet(audio=[sound(seed)], category=["dog"]) for seed, name in enumerate((first, second))}
    publish(hub, whole | {second: b"PAR1 cut"})
    module, root = opened(NAME, None)
    with pytest.raises(DataError, match="not a whole parquet file"):
        module.read(root)
    publish(hub, whole)
    hub.asked.clear()
    for cached in Path(constants.HF_HUB_CACHE).rglob("train-00001*"):
        cached.unlink()
    assert [clip.label for clip in module.read(root).files] == ["dog", "dog"]
    assert not [path for _, path, _ in hub.asked if path.endswith(first)]


def test_several_labels_and_captions_in_several_rows_are_read(hub) -> None:
    several = {"audio": AUDIO, "labels": {"feature": LABEL, "_type": "Sequence"}}
    publish(hub, {"data/eval.parquet": parquet(several, audio=[sound(0)], labels=[[1, 0]])})
    (clip,) = HubDataset.named(NAME).read(HubDataset.named(NAME).root).files
    assert (clip.label, clip.labels) == ("", ("crow", "dog"))
    rows = parquet(audio=[sound(0), sound(0), sound(1)], caption=["a bark", "a dog", "a caw"], text=["x", "y", "z"])
    publish(hub, {"test/0000.parquet": rows}, "me/caps")
    caps = HubDataset.named(f"hub:me/caps@{COMMIT}")
    dataset = caps.read(caps.root)
    assert [clip.captions for clip in dataset.files] == [("a bark", "a dog"), ("a caw",)]
    assert (dataset.classes, dataset.licence, dataset.files[0].split) == ((), "not stated", "test")


def test_a_part_is_chosen_by_name(hub) -> None:
    files = {f"{part}/test-00000-of-00001.parquet": parquet(audio=[sound(0)], label=[part]) for part in ("a", "b")}
    publish(hub, files)
    with pytest.raises(DataError, match=f"several parts; name one of {NAME}:a, {NAME}:b"):
        HubDataset.named(NAME).read(HubDataset.named(NAME).root)
    part = HubDataset.named(f"{NAME}:b")
    dataset = part.read(part.root)
    assert (dataset.name, dataset.classes) == ("esc50-b", ("b",))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hub:mteb/esc50", r"hub:mteb/esc50@COMMIT.*`git ls-remote https://huggingface.co/datasets/mteb/esc50 HEAD`"),
        ("hub:mteb/esc50@main", r"hub:mteb/esc50@COMMIT"),
        ("hub:esc50", r"is hub:OWNER/NAME@COMMIT"),
        ("esc50", r"esc50 needs `root`, the folder where it lies"),
    ],
)
def test_a_name_without_a_commit_or_a_folder_is_refused(name, words) -> None:
    with pytest.raises(DataError, match=words):
        opened(name, None)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": ["dog"]}, r"0 columns hold audio .*it has label: choose"),
        ({"audio": [sound(0)], "target": [3]}, r"no column of classes .*it has audio, target: choose"),
        ({"audio": [{"bytes": b"", "path": "x.wav"}], "label": ["dog"]}, r"row 0: no audio, only its name 'x\.wav'"),
        ({"audio": [{"bytes": b"text", "path": "x.txt"}], "label": ["dog"]}, r"row 0: audio 'x\.txt' is none of \.wav"),
        ({"audio": [sound(0), sound(1)], "label": ["dog", ""]}, r"row 1: label '' is no class"),
        ({"audio": [sound(0)], "caption": [" "]}, r"row 0: no caption"),
        (
            {"audio": 2 * [sound(0)], "label": ["dog", "crow"]},
            r"jsonl: 00000/000001 is the audio of 00000/000000 again",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(hub, columns, words) -> None:
    publish(hub, {"data/test-00000-of-00001.parquet": parquet(**columns)})
    module, root = opened(NAME, None)
    with pytest.raises(DataError, match=words):
        module.read(root)


def test_a_data_set_that_the_hub_does_not_give_is_named(hub, tmp_path) -> None:
    module, root = opened(NAME, tmp_path / "mine")
    with pytest.raises(DataError, match=rf"the hub does not give it \(.*\); check name .*copy {root} from there"):
        module.read(root)
    publish(hub, {"train.csv": b""})
    with pytest.raises(DataError, match=r"no parquet files at 0+; .*refs/convert/parquet` prints"):
        module.read(root)

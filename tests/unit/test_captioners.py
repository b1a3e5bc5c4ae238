"""Captioners: on tiny random models in the real formats, and on files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file, save_file

from mgcl.captioners import caption_dataset
from mgcl.captioners.file import read_captions
from mgcl.catalogue import load
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError, MgclError
from tests.checkpoints import captioners as checkpoints


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[AudioFile]:
    """Three sounds of two to four seconds."""
    root = tmp_path_factory.mktemp("sounds")
    found = []
    for seconds, pitch in ((2, 200), (3, 3000), (4, 7000)):
        time = np.arange(16000 * seconds) / 16000
        soundfile.write(root / f"{pitch}.wav", 0.3 * np.sin(2 * np.pi * pitch * time) * (time % 0.5 < 0.2), 16000)
        found.append(AudioFile(f"clip-{pitch}", root / f"{pitch}.wav", "whistle"))
    return found


@pytest.fixture(scope="module", params=["whisper", "qwen2_audio"])
def model(request, tmp_path_factory) -> str:
    return getattr(checkpoints, request.param)(tmp_path_factory.mktemp("models") / request.param)


@pytest.fixture(scope="module")
def captioner(model):
    return load("captioner", "transformers").load(model)


def test_a_caption_comes_from_the_audio_alone(captioner, files) -> None:
    captions = captioner.caption(files)
    assert len(set(captions)) == 3
    assert all(caption == " ".join(caption.split()) != "" for caption in captions)
    renamed = [replace(file, clip_id=f"other-{file.clip_id}", label="rain") for file in files]
    assert captioner.caption(renamed) == captions


def test_a_clip_is_heard_as_if_it_were_alone(captioner, files) -> None:
    assert captioner.caption(files)[1:2] == captioner.caption(files[1:2])


def test_a_file_that_cannot_be_decoded_is_named(captioner, files, tmp_path) -> None:
    (tmp_path / "broken.wav").write_text("no audio")
    with pytest.raises(DataError, match=r"broken\.wav: cannot be decoded"):
        captioner.caption([*files, AudioFile("b", tmp_path / "broken.wav", "whistle")])


def test_nothing_said_is_an_error_that_names_the_clip(captioner, files, monkeypatch) -> None:
    monkeypatch.setattr(type(captioner._processor), "batch_decode", lambda *_, **__: ["a tone", " \n", "a beep"])
    with pytest.raises(DataError, match=r"clip-3000: .* says nothing of it; choose another model"):
        captioner.caption(files)


def test_loading_and_captioning_print_nothing(model, files, capfd, recwarn) -> None:
    load("captioner", "transformers").load(model).caption(files)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_weights_that_are_missing_are_refused(model, tmp_path) -> None:
    """Transformers would draw them at random and go on."""
    for file in Path(model).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    gone = next(name for name in weights if name.endswith("k_proj.weight"))
    save_file(
        {name: value for name, value in weights.items() if name != gone},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(MgclError, match=r"1 weights are missing or of another shape \(.*k_proj\.weight\)"):
        load("captioner", "transformers").load(str(tmp_path))


def test_a_tokenizer_that_is_missing_is_refused(model, tmp_path) -> None:
    """Transformers would make an empty one."""
    for file in Path(model).iterdir():
        if not file.name.startswith("tokenizer"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(MgclError, match="its tokenizer cannot read 'a dog', a file of it is missing"):
        load("captioner", "transformers").load(str(tmp_path))


def test_a_captioning_whisper_reads_its_style_first(files, tmp_path, monkeypatch) -> None:
    captioner = load("captioner", "transformers").load(checkpoints.whisper(tmp_path))
    seen, generate = [], captioner._model.generate
    monkeypatch.setattr(captioner._model, "generate", lambda **asked: seen.append(asked) or generate(**asked))
    captioner.caption(files[:2])
    read = captioner._processor.batch_decode(seen[0]["decoder_input_ids"])
    assert read == ["<|startoftranscript|><|en|><|transcribe|><|notimestamps|>clotho > caption: "] * 2
    monkeypatch.setattr(type(captioner._processor), "batch_decode", lambda *_, **__: [" clotho > caption: A bell."])
    assert captioner.caption(files[:1]) == ["A bell."]


def test_an_audio_language_model_is_asked(files, tmp_path, monkeypatch) -> None:
    captioner = load("captioner", "transformers").load(checkpoints.qwen2_audio(tmp_path))
    seen, generate = [], captioner._model.generate
    monkeypatch.setattr(captioner._model, "generate", lambda **asked: seen.append(asked) or generate(**asked))
    captioner.caption(files[:1])
    asked = captioner._processor.batch_decode(seen[0]["input_ids"])[0]
    assert load("captioner", "transformers").QUESTION in asked
    assert asked.count("<|AUDIO|>") == 125  # five seconds, 25 a second
    assert seen[0]["do_sample"] is False


def test_other_models_are_refused(tmp_path) -> None:
    transformers = load("captioner", "transformers")
    with pytest.raises(MgclError, match="a qwen2 does not answer audio with text"):
        transformers.load(checkpoints.language_model(tmp_path / "words"))
    with pytest.raises(MgclError, match=r"nobody/nothing: cannot be loaded .*; give a model's id") as refused:
        transformers.load("nobody/nothing")
    assert "\n" not in str(refused.value)


def test_captions_are_read_from_csv_and_jsonl(tmp_path) -> None:
    expected = {"a": "A dog, barking.", "b": "Rain"}
    (tmp_path / "c.csv").write_text('clip_id,label,caption\na,dog,"A dog, barking."\nb,rain,Rain\n')
    (tmp_path / "c.jsonl").write_text(
        "".join(json.dumps({"clip_id": i, "caption": c}) + "\n" for i, c in expected.items())
    )
    assert read_captions(tmp_path / "c.csv") == read_captions(tmp_path / "c.jsonl") == expected


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.txt", "", r"read from \.csv and \.jsonl"),
        ("c.csv", "clip_id,text\na,b\n", r"not a file of clip_id and caption \('caption'\)"),
        ("c.csv", "clip_id,caption\na\n", "the caption of a is empty"),
        ("c.csv", "clip_id,caption\na,One.\na,Two.\n", "two different captions of a; keep one"),
        ("c.jsonl", '{"clip_id": "a", "caption": "One."}\n{"clip_id": "b", "cap', 'line 2: {"clip_id": "b", "cap'),
        ("c.jsonl", '{"clip_id": "a", "caption": " "}\n', "the caption of a is empty"),
    ],
)
def test_a_wrong_file_of_captions_is_refused(tmp_path, name, content, words) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        read_captions(tmp_path / name)


def test_a_file_is_a_captioner(tmp_path, files) -> None:
    (tmp_path / "c.csv").write_text("clip_id,caption\nclip-200,Low.\nclip-3000,Middle.\n")
    captioner = load("captioner", "file").load(str(tmp_path / "c.csv"))
    assert captioner.caption(files[:2]) == ["Low.", "Middle."]
    with pytest.raises(DataError, match="no caption of clip-7000, nor of 0 more"):
        captioner.caption(files)
    with pytest.raises(DataError, match=r"absent\.csv: no such file"):
        load("captioner", "file").load(str(tmp_path / "absent.csv"))
    with pytest.raises(DataError, match="needs --model FILE"):
        load("captioner", "file").load()


class Echo:
    """Says a clip's id; keeps what it was given."""

    def __init__(self, deaf_to: str = "") -> None:
        self.heard: list[list[str]] = []
        self._deaf_to = deaf_to

    def caption(self, files) -> list[str]:
        self.heard.append([file.clip_id for file in files])
        for file in files:
            if file.clip_id == self._deaf_to:
                raise DataError(f"{file.clip_id}: nothing is said of it")
        return [f"the sound of {file.clip_id}" for file in files]


def dataset(*clips: str, folder: Path = Path("nowhere")) -> Dataset:
    return Dataset("sounds", "", "", tuple(AudioFile(clip, folder / f"{clip}.wav", "x") for clip in clips))


def test_a_clip_is_captioned_once(tmp_path) -> None:
    out = tmp_path / "captions.jsonl"
    first = Echo()
    captions = caption_dataset(dataset(*"abc"), first, out, name="echo", batch=2)
    assert captions == read_captions(out) == {clip: f"the sound of {clip}" for clip in "abc"}
    whole = out.read_bytes()
    out.write_bytes(whole[:-30])
    again = Echo()
    assert caption_dataset(dataset(*"abc"), again, out, name="echo", batch=2) == captions
    assert (first.heard, again.heard) == ([["a", "b"], ["c"]], [["c"]])
    assert out.read_bytes() == whole


def test_a_batch_that_was_torn_is_heard_as_before(tmp_path) -> None:
    out = tmp_path / "captions.jsonl"
    caption_dataset(dataset(*"abcd"), Echo(), out, name="echo", batch=2)
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:4]))
    again = Echo()
    caption_dataset(dataset(*"abcd"), again, out, name="echo", batch=2)
    assert again.heard == [["c", "d"]]
    assert out.read_text() == "".join(lines)


def test_one_bad_clip_costs_no_other(tmp_path) -> None:
    out, clips = tmp_path / "captions.jsonl", dataset(*"abc", folder=tmp_path)
    assert set(caption_dataset(clips, Echo("b"), out, name="echo", batch=3)) == {"a", "c"}, "b is no sound"
    soundfile.write(tmp_path / "b.wav", np.full(8000, 0.1), 8000)
    with pytest.raises(DataError, match=r"b: nothing is said of it \(1 of 3 clips have no caption; the others are in "):
        caption_dataset(clips, Echo("b"), out, name="echo", batch=3)
    assert set(read_captions(out)) == {"a", "c"}
    assert set(caption_dataset(clips, Echo(), out, name="echo", batch=3)) == set("abc")


def test_captions_of_another_model_are_not_mixed_in(tmp_path) -> None:
    out = tmp_path / "captions.jsonl"
    caption_dataset(dataset("a"), Echo(), out, name="echo", model="one")
    before = out.read_bytes()
    with pytest.raises(DataError, match="holds captions of dataset sounds, captioner echo, model one; these are of"):
        caption_dataset(dataset("a"), Echo(), out, name="echo", model="two")
    assert out.read_bytes() == before

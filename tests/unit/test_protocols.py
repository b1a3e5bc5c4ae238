"""What a data set's protocol fixes: several labels, captions and events in its bank, its window and its prompt."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import torch

from mgcl.backbones.backbone import AudioFeatures
from mgcl.data._faults import faults
from mgcl.data.dataset import AudioFile, Dataset, Window
from mgcl.errors import BackboneError, DataError
from mgcl.events import Event
from mgcl.extraction.assembly import refuse_unfit_for_half
from mgcl.extraction.extract import extract, extract_by, in_process
from mgcl.extraction.plan import identity, plan
from mgcl.extraction.texts import Texts
from mgcl.extraction.windows import backbone_in
from mgcl.features import FeatureBank
from mgcl.language.explanations import from_templates
from mgcl.language.prompts import TEMPLATES
from mgcl.records import Trial
from mgcl.tasks import zero_shot
from tests.generated_backbone import Bands

RATE = 16000
TONE = np.sin(np.arange(3 * RATE) * np.linspace(0.05, 0.6, 3 * RATE)).astype(np.float32)
FIRST = Window(3.0, "zeros", "first")


@pytest.fixture
def files(tmp_path: Path) -> tuple[AudioFile, ...]:
    """Three clips of 3, 1 and 2 s."""
    for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
        soundfile.write(tmp_path / f"{name}.wav", TONE[: seconds * RATE], RATE, subtype="FLOAT")
    return tuple(AudioFile(name, tmp_path / f"{name}.wav", "dog" if name == "a" else "rain") for name in "abc")


def dataset(files: Iterable[AudioFile], **more) -> Dataset:
    return Dataset("mine", "1", "CC0-1.0", tuple(files), **more)


def extracted(data: Dataset, out: Path) -> FeatureBank:
    backbone = Bands()
    classes = from_templates(data.classes, data.prompt or TEMPLATES[0])
    return extract(data, backbone, out, texts=Texts.of(data, backbone, classes=classes))


def test_labels_captions_and_events_reach_the_bank(files, tmp_path) -> None:
    labels = [("rain", "dog"), (), ("wind",)]
    several = dataset(replace(file, label="", labels=each) for file, each in zip(files, labels, strict=True))
    bank = extracted(several, tmp_path / "labels")
    assert (bank.labels, tuple(bank.row_of_class)) == (tuple(labels), ("dog", "rain", "wind"))
    assert bank.lacks(["label", "events", "captions", "caption", "split"]) == (
        *("label", "events", "captions", "caption", "split"),
    )

    events = [(Event(0.5, 3.5, "owl"), Event(3.2, 3.4, "dog")), (), (Event(0.0, 0.25, "dog"),)]
    timed = [replace(file, label="", events=each, split="test") for file, each in zip(files, events, strict=True)]
    bank = extracted(dataset(timed, window=FIRST), tmp_path / "events")
    assert bank.events == ((Event(0.5, 3.0, "owl"),), (), (Event(0.0, 0.25, "dog"),))  # cut to the window
    assert bank.clips["split"].to_pylist() == ["test"] * 3
    assert (tuple(bank.row_of_class), bank.labels) == (("dog", "owl"), (("owl",), (), ("dog",)))


def test_a_data_set_of_captions_alone_has_a_bank_without_classes(files, tmp_path) -> None:
    captions = [("a low note", "a hum"), ("a beep",), ("a low note", "rain", "a dog")]
    given = [replace(file, label="", captions=each) for file, each in zip(files, captions, strict=True)]
    made = extracted(dataset(given), tmp_path / "bank")
    bank = FeatureBank.open(made.path)
    assert bank.clips["captions"].to_pylist() == [list(each) for each in captions]
    assert np.allclose(bank.ragged("captions")[2], Bands().embed_text(captions[2]))
    assert (bank.row_of_class, bank.labels, bank.digest) == ({}, ((),) * 3, made.digest)


def test_one_clip_under_two_protocols_shares_no_row(files, tmp_path) -> None:
    """Neither the finished shards, nor the bank's digest, nor a trial's key are those of another protocol.

    The clip has the length of all windows: its vectors are the same under several of them.
    """
    (clip,), backbone = files[2:], Bands()
    own = dataset([clip])
    protocols = [
        own,
        replace(own, window=Window(2.0)),
        replace(own, window=Window(2.0, "zeros")),
        replace(own, window=Window(2.0, "repeat", "first")),
        replace(own, window=Window(1.0, "zeros", "first")),
        replace(own, prompt="{} can be heard"),
        replace(own, mean_over_folds=True),
    ]
    banks = [extracted(each, tmp_path / f"{place}") for place, each in enumerate(protocols)]
    assert np.array_equal(banks[0].clip_embeddings, banks[2].clip_embeddings)
    cell, *_ = zero_shot.cells(zero_shot.Draws(), banks[0])
    keys = {Trial("zero_shot", 1, each.digest, "mine", cell, "zero_shot", 1, {}).key for each in banks}
    windows = {identity(plan([clip], ()), backbone, each.window) for each in protocols}
    assert (len({each.digest for each in banks}), len(keys)) == (len(protocols), len(protocols))
    assert len(windows) == len({each.window for each in protocols})
    reopened = FeatureBank.open(banks[4].path).header
    assert (reopened.window, reopened.seconds, reopened.segments) == (Window(1.0, "zeros", "first"), 1.0, 2)


def test_segments_in_float16_are_the_others_rounded_and_nothing_else_is(files, tmp_path) -> None:
    data, backbone = dataset(files), Bands()
    texts = Texts.of(data, backbone, classes=from_templates(data.classes, TEMPLATES[0]))
    whole, half = (
        extract_by(in_process(backbone), data, backbone, tmp_path / name, texts, half=name == "half")
        for name in ("whole", "half")
    )
    assert half.column("segments").dtype == np.float16
    assert np.array_equal(half.column("segments"), whole.segment_embeddings.astype(np.float16))
    assert half.segment_embeddings[np.array([1])].dtype == np.float32
    assert half.clip_embeddings.dtype == np.float32
    assert half.digest != whole.digest
    refuse_unfit_for_half(np.array([[-65504.0]], np.float32))
    with pytest.raises(BackboneError, match=r"`float16`: a segment has the number 65520, too large"):
        refuse_unfit_for_half(np.array([[-65520.0]], np.float32))


def test_the_protocols_prompt_and_no_other_sentence(files, tmp_path) -> None:
    banks = [extracted(dataset(files, prompt=each), tmp_path / (each or "none")) for each in ("", "{} can be heard")]
    assert banks[1].classes["prompt"].to_pylist() == ["dog can be heard", "rain can be heard"]
    assert banks[0].classes["explanations"] == banks[1].classes["explanations"]
    assert (banks[0].header.prompt, FeatureBank.open(banks[1].path).header.prompt) == ("", "{} can be heard")
    assert not {"prompt", "mean_over_folds"} & banks[0].header.to_json()["dataset"].keys()


def test_short_clips_are_filled_and_long_ones_cut_as_the_protocol_says(files, tmp_path) -> None:
    zeros = extracted(dataset(files, window=Window(2.0, "zeros", "first")), tmp_path / "zeros")
    backbone = Bands()
    padded = np.pad(TONE[:RATE], (0, RATE))
    for row, waveform in ((0, TONE[: 2 * RATE]), (1, padded)):
        expected = backbone.embed_audio(torch.from_numpy(waveform)[None])
        assert np.allclose(zeros.segment_embeddings[row], expected.segments[0], atol=1e-6)


def test_a_longer_window_is_covered_by_the_backbones_and_a_shorter_one_filled() -> None:
    backbone, waveform = Bands(), torch.from_numpy(TONE)[None]
    long = backbone_in(backbone, Window(3.0))
    found = long.embed_audio(waveform)
    windows = [backbone.embed_audio(waveform[:, start : start + 2 * RATE]) for start in (0, RATE)]
    assert (long.seconds, long.segments, found.segments.shape) == (3.0, 6, (1, 6, 8))
    assert torch.equal(found.segments[0, :3], windows[0].segments[0, :3])
    assert torch.equal(found.segments[0, 3:], windows[1].segments[0, 1:])
    units = [torch.nn.functional.normalize(each.clip, dim=-1) for each in windows]
    assert torch.allclose(found.clip, (units[0] + units[1]) / 2)
    short = backbone_in(backbone, Window(1.0, "zeros"))
    filled = backbone.embed_audio(torch.nn.functional.pad(waveform[:, :RATE], (0, RATE)))
    found = short.embed_audio(waveform[:, :RATE])
    assert torch.equal(found.clip, filled.clip) and torch.equal(found.segments, filled.segments[:, :2])
    assert backbone_in(backbone, Window(2.0, "zeros")) is backbone


def test_a_longer_window_is_embedded_at_once_where_the_model_takes_it() -> None:
    class Longer(Bands):
        native_seconds = 2.5
        taken: ClassVar[list[int]] = []

        def embed_audio(self, waveforms: torch.Tensor) -> AudioFeatures:
            self.taken.append(waveforms.shape[1])
            steps = waveforms.unfold(1, RATE // 2, RATE // 2).mean(-1, keepdim=True).repeat(1, 1, 8)
            return AudioFeatures(steps, steps.mean(1))

    for seconds, lengths in ((2.5, [2.5]), (3.0, [2.5]), (1.0, [2.0])):
        Longer.taken.clear()
        wide = backbone_in(Longer(), Window(seconds, "zeros"))
        found = wide.embed_audio(torch.from_numpy(TONE)[None, : round(seconds * RATE)])
        assert Longer.taken == [round(each * RATE) for each in lengths]
        assert found.segments.shape[1] == wide.segments == round(seconds * 2)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"events": (Event(2.0, 1.0, "dog"),)}, r"a\.wav: 'dog' from 2 s to 1 s: .*mend its times"),
        ({"events": (Event(0.0, 1.0, ""),)}, r"a\.wav: the event from 0 s has no class; name it"),
        ({"labels": ("dog", "")}, r"a\.wav: one of its labels is empty; name it"),
        ({"captions": ("a hum", " ")}, r"a\.wav: one of its captions is empty; write one"),
        ({"split": "eval"}, r"a\.wav: the split 'eval' is none of train, validation, test; rename it"),
        ({"clip_id": "b"}, r"mine: the clip id 'b' stands 2 times; give each clip its own"),
        ({"label": ""}, r"a\.wav: neither a class nor a caption; add one, or leave the clip out"),
        ({"labels": ("dog",)}, r"b\.wav: no labels, one of 1 such clips.* add it to these, or leave them out"),
    ],
)
def test_what_contradicts_itself_is_refused_before_a_clip_is_embedded(changed, fault, files) -> None:
    spoilt = dataset([replace(files[0], **changed), files[1]], window=FIRST)
    with pytest.raises(DataError, match=fault):
        refuse(spoilt)


@pytest.mark.parametrize(
    ("protocol", "fault"),
    [
        ({}, "its events are timed from the start of a clip"),
        ({"window": Window(3.0)}, "its events are timed from the start of a clip"),
        ({"window": Window(0.0, "zeros", "first")}, r"window\.seconds is 0\.0; it must be positive"),
        ({"window": FIRST, "prompt": "a dog"}, "the prompt 'a dog' must have {} once"),
        ({"window": FIRST, "pictures": True}, "videos are embedded whole; leave it out"),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused(protocol, fault, files) -> None:
    timed = dataset([replace(file, label="", events=()) for file in files], **protocol)
    with pytest.raises(DataError, match=fault):
        refuse(timed)


def test_another_protocol_is_chosen_by_flags(files) -> None:
    data = dataset(files)
    assert data.under("10,zeros,first", "{}") == replace(data, window=Window(10.0, "zeros", "first"), prompt="{}")
    assert data.under(None) == data
    for wrong in ("10", "0,zeros,first", "10,first,zeros"):
        with pytest.raises(DataError, match=f"`window` {wrong}: write SECONDS"):
            data.under(wrong)


def refuse(data: Dataset) -> None:
    for fault in faults(data):
        raise DataError(fault)

"""Clips as other libraries give them, sounds given twice, labels, seeds: what ``FewShotClassifier`` makes of them."""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mgcl import FewShotClassifier
from mgcl.classifier import page
from mgcl.classifier.given import Samples, Stretch, clips
from mgcl.classifier.labels import near_equal
from mgcl.classifier.scores import judge
from mgcl.errors import ClassifierError, DataError, MgclWarning
from tests.generated_sounds import RATE, waveform

KINDS = ("hum", "hiss", "siren")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, list[Path]]:
    root = tmp_path_factory.mktemp("sounds")
    found: dict[str, list[Path]] = {}
    for kind in KINDS:
        (root / kind).mkdir()
        for number in range(3):
            soundfile.write(root / kind / f"{number}.wav", waveform(kind, number, 1.0), RATE, subtype="FLOAT")
        found[kind] = sorted((root / kind).iterdir())
    return found


@pytest.fixture(scope="module")
def support(files) -> tuple[list[Path], list[str]]:
    return [path for kind in KINDS for path in files[kind]], [kind for kind in KINDS for _ in files[kind]]


def made(**options) -> FewShotClassifier:
    return FewShotClassifier(method="mgcl", fusion="audio", epochs=0, **options)


@pytest.fixture(scope="module")
def fitted(support) -> FewShotClassifier:
    return made().fit(*support)


class _Decoder:
    """As torchcodec's."""

    def __init__(self, data: torch.Tensor, sample_rate: int) -> None:
        self.data, self.sample_rate = data, sample_rate

    def get_all_samples(self) -> "_Decoder":
        return self


def _forms() -> dict[str, object]:
    mono = waveform("hum", 7, 1.0)
    stereo, pcm = np.stack([mono, mono], 1), np.round(mono * 32767).astype(np.int16)
    file = BytesIO()
    soundfile.write(file, mono, RATE, format="WAV", subtype="FLOAT")
    return {
        "mono": (mono, RATE),
        "soundfile": (stereo, RATE),
        "scipy and gradio": (RATE, pcm),
        "gradio, stereo": (RATE, np.stack([pcm, pcm], 1)),
        "a list that json gave": [RATE, mono.tolist()],
        "librosa": (stereo.T, RATE),
        "torchaudio": (torch.from_numpy(stereo.T.copy()), RATE),
        "a tensor with a gradient": (torch.from_numpy(mono.copy()).requires_grad_(), RATE),
        "datasets": {"path": None, "array": mono, "sampling_rate": RATE},
        "datasets, undecoded": {"path": "x.wav", "bytes": file.getvalue()},
        "transformers": {"raw": mono, "sampling_rate": RATE},
        "datasets 4": _Decoder(torch.from_numpy(stereo.T.copy()), RATE),
    }


@pytest.mark.parametrize("form", _forms())
def test_clips_of_other_libraries(form) -> None:
    """LAION-AI/CLAP #130: stereo, as soundfile reads it, and pairs with a rate."""
    (found,) = clips(iter([_forms()[form]]), sample_rate=48000)
    assert isinstance(found, Samples)
    assert found.sample_rate == RATE
    assert found.waveform == pytest.approx(waveform("hum", 7, 1.0), abs=1e-4)


def test_a_clip_is_the_same_in_every_form(fitted, files) -> None:
    """LAION-AI/CLAP #130."""
    path = files["hum"][0]
    samples, rate = soundfile.read(path, dtype="float32")
    given = [path, (samples, rate), np.stack([samples] * 2, 1), {"array": samples, "sampling_rate": rate}]
    with pytest.warns(MgclWarning, match="arrays are taken to be at"):
        logits = fitted.logits(each for each in given)
    assert logits == pytest.approx(np.stack([logits[0]] * 4), rel=1e-5)
    halved = (samples[::2], rate // 2)
    assert list(fitted.predict([halved])) == ["hum"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((220544, 90)), r"of shape \(220544, 90\) is 220544 clips of 90 samples"),
        (torch.zeros(100, 2), r"of shape \(100, 2\) is 100 clips of 2 samples"),
        (list(np.zeros((300, 2))), "clip 0: 2 samples are less than"),
        ((np.zeros((9000, 2)), 16000), r"got one clip \(a tuple\); write \[clip\]"),
        ({"array": np.zeros(9000), "sampling_rate": 16000}, r"got one clip \(a dict\)"),
        ([3], "clip 0: is a int; give a path, an array"),
        ([None], "clip 0: is a NoneType"),
        ([BytesIO(b"RIFF")], "clip 0: is a BytesIO"),
        ([b"RIFF"], "clip 0: is a bytes"),
        ([{"bytes": b"RIFF", "path": None}], "clip 0: its bytes cannot be decoded"),
        ([{"audio": {}, "label": 1}], "clip 0: has 'audio', 'label'.* the column of its clips"),
        ([np.zeros((500, 500))], r"clip 0: is an array of shape \(500, 500\)"),
        ([np.zeros((2, 2, 9000))], r"clip 0: is an array of shape \(2, 2, 9000\)"),
        ([(np.zeros(9000), 0)], "clip 0: its sample rate is 0"),
        ([[np.zeros(9), np.zeros(8)]], "clip 0: is a list whose parts differ"),
        ([Stretch("a.wav", 2, 1)], r"a\.wav: a stretch of 2 to 1 s"),
        (5, "expected a list of clips, got a int"),
        (iter(()), "no clips were given"),
    ],
)
def test_what_is_no_clip_is_refused_by_name(given, words) -> None:
    """LAION-AI/CLAP #130: one stereo array was taken as 220,544 clips."""
    with pytest.raises(ClassifierError, match=words):
        clips(given, sample_rate=16000)


def test_one_stereo_array_is_one_clip() -> None:
    """LAION-AI/CLAP #130: as soundfile reads it, and nothing around it."""
    stereo = np.stack([np.full(220544, 0.2), np.full(220544, 0.4)], 1)
    for given in (stereo, torch.from_numpy(stereo)):
        (clip,) = clips(given, sample_rate=16000)
        assert clip.waveform == pytest.approx(np.full(220544, 0.3))


def test_two_rows_and_levels_of_another_unit_are_warned_of() -> None:
    """LAION-AI/CLAP #130; a float array in int16's range."""
    with pytest.warns(MgclWarning, match=r"of shape \(2, 9000\) is taken as two clips"):
        assert len(clips(np.zeros((2, 9000)), sample_rate=16000)) == 2
    with pytest.warns(MgclWarning, match="its peak is 9000, where full scale is 1"):
        clips([np.full(9000, 9000.0)], sample_rate=16000)


def test_whole_numbers_are_scaled_by_their_width() -> None:
    """LAION-AI/CLAP #130: gradio gives int16, and an 8-bit wav is unsigned."""
    for kind, half, middle in ((np.int8, 64, 0), (np.uint8, 192, 128), (np.int16, 2**14, 0), (np.int32, 2**30, 0)):
        quiet, loud = clips([np.full(900, middle, kind), np.full(900, half, kind)], sample_rate=16000)
        assert (quiet.peak, loud.peak) == (0, 0.5)


def test_a_sound_given_twice_counts_once(support) -> None:
    """Perch #622."""
    paths, labels = support
    with pytest.warns(MgclWarning, match=r"0\.wav is given twice; .*, and 4 more: each counts once"):
        twice = made().fit(paths + paths, labels + labels)
    once = made().fit(paths, labels)
    with pytest.warns(MgclWarning, match="each counts once"):
        again = made().fit(paths, labels).add_classes(paths, labels)
    for each in (twice, again):
        assert each.model_.examples.names == once.model_.examples.names
        assert (each.logits(paths) == once.logits(paths)).all()
    with pytest.raises(DataError, match="is the same sound as"):
        made().fit([*paths, paths[0]], [*labels, "siren"])


def test_labels_that_look_alike_are_warned_of(support) -> None:
    """Perch #622."""
    paths, labels = support
    with pytest.warns(MgclWarning, match="the classes 'Hum ' and 'hum' differ in case, spaces or dashes alone"):
        made().fit(paths, [{"hum": "Hum ", "hiss": "hum"}.get(label, label) for label in labels])
    assert list(near_equal(["car horn", "car_horn", "carhorns", "e\u0301", "\u00e9", 3])) == [
        ["car horn", "car_horn"],
        ["e\u0301", "\u00e9"],
    ]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.array(["2020-01-01", "2021-01-01"], "datetime64[D]"), r"are dates or times \(datetime64\[D\]\)"),
        ([b"a", b"b"], "label b'a' is a bytes"),
        (np.array([("a", 1), "b", 1.5], object)[1:], "some labels are text and some are numbers"),
    ],
)
def test_labels_that_could_not_be_saved_are_refused_at_fit(support, labels, words) -> None:
    """Labels that were dates failed at ``save``."""
    with pytest.raises(ClassifierError, match=words):
        made().fit(support[0][:2], labels)


def test_random_state_is_scikit_learns(support, tmp_path) -> None:
    """``random_state=None`` was a RuntimeError."""
    for state in (None, np.random.RandomState(0), np.random.default_rng(0), np.int64(3)):
        made(random_state=state).fit(*support).save(tmp_path)
        again = FewShotClassifier.load(tmp_path)
        assert again.random_state == json.loads((tmp_path / "model.json").read_text())["seed"]
    with pytest.raises(ValueError, match="cannot be used to seed"):
        made(random_state="x").fit(*support)


def test_a_model_keeps_no_absolute_paths(support, tmp_path) -> None:
    """Where training clips lay travelled with a shared model."""
    made().fit(*support).save(tmp_path)
    text = (tmp_path / "model.json").read_text()
    assert str(support[0][0].parent.parent) not in text
    assert "hum/0.wav" in FewShotClassifier.load(tmp_path).model_.examples.names


def test_a_threshold_turns_away_no_more_than_it_may(support, tmp_path) -> None:
    """BirdNET-Analyzer #823, openWakeWord #255: half of the known clips were rejected, and nothing said so."""
    found = [made(reject_label="none", reject_rate=rate).fit(*support).turned_away_ for rate in (0.0, 0.2, 0.9)]
    assert found[0].known == 0
    assert found[1].known <= 0.2
    assert found[0].below <= found[1].below <= found[2].below
    classifier = made(reject_label="none", reject_rate=0.2).fit(*support)
    classifier.save(tmp_path)
    assert FewShotClassifier.load(tmp_path).turned_away_ == classifier.turned_away_
    with pytest.raises(ClassifierError, match=r"`reject_rate` is 1\.5"):
        made(reject_label="none", reject_rate=1.5).fit(*support)


def test_an_explanation_says_which_seconds_were_heard_and_plays_them(fitted, tmp_path) -> None:
    """Panotti #47."""
    long = tmp_path / "long.wav"
    recording = np.random.default_rng(0).uniform(-0.5, 0.5, 30 * RATE).astype(np.float32)
    soundfile.write(long, recording, RATE, subtype="FLOAT")
    reasons, sound = fitted.explain(long), fitted.sound(long)
    start, stop = (round(each * RATE) for each in (reasons.answer.start, reasons.answer.stop))
    assert stop - start == 5 * RATE
    assert start > 0
    assert (sound.waveform == recording[start:stop]).all()
    html = page.html([(reasons, sound)], RATE)
    assert f"Taken: from {reasons.answer.start:.1f} to {reasons.answer.stop:.1f} s" in html
    assert 'src="data:audio/wav;base64,UklGR' in html


def test_a_stretch_is_heard_and_nothing_else(fitted, files, tmp_path) -> None:
    """Opensoundscape #437, #730."""
    both = tmp_path / "both.wav"
    parts = [soundfile.read(files[kind][0], dtype="float32")[0] for kind in ("hum", "siren")]
    soundfile.write(both, np.concatenate(parts), RATE, subtype="FLOAT")
    given = [Stretch(both, 0, 1), Stretch(both, 1, 2)]
    assert list(fitted.predict(given)) == ["hum", "siren"]
    (whole,) = fitted.logits([files["siren"][0]])
    assert fitted.logits(given)[1] == pytest.approx(whole, rel=1e-5)
    with pytest.raises(DataError, match=r"both\.wav: lasts 2 s, and its stretch of 1 to 3 s ends later"):
        fitted.predict([Stretch(both, 1, 3)])


def test_names_of_any_script_are_drawn(support) -> None:
    """CJK names: a warning of matplotlib's was an error, and the letters were boxes."""
    paths, labels = support
    classifier = made().fit(paths, ["雨の音" if label == "hum" else label for label in labels])
    html = page.html([(classifier.explain(paths[0]), classifier.sound(paths[0]))], RATE)
    assert "雨の音 (answered)" in html


def test_a_verdict_has_recall_precision_and_the_wrong_clips(fitted, support) -> None:
    """``evaluate`` gave a confusion alone."""
    paths, labels = support
    verdict = judge(["hiss", *labels[1:]], list(fitted.answers(paths)), None)
    assert (verdict.classes["hiss"].recall, verdict.classes["hiss"].precision) == (3 / 4, 1)
    assert (verdict.classes["hum"].recall, verdict.classes["hum"].precision) == (1, 2 / 3)
    ((wrong),) = verdict.wrong
    assert (wrong.clip, wrong.true, wrong.answered) == (str(paths[0]), "hiss", "hum")


def test_one_channel_of_clips_whose_channels_cancel(support, tmp_path) -> None:
    """WhisperX #750: the advice of the error, followed to the letter, in Python and on the command line."""
    paths, labels = support
    miswired = []
    for path, label in zip(paths, labels, strict=True):
        samples, rate = soundfile.read(path)
        miswired.append(tmp_path / label / path.name)
        miswired[-1].parent.mkdir(exist_ok=True)
        soundfile.write(miswired[-1], np.stack([samples, -samples], 1), rate, subtype="FLOAT")
    with pytest.raises(DataError, match=r"0\.wav: its channels are in opposite phase .* take one of them"):
        made().fit(miswired, labels)
    left = made(channels="left").fit(miswired, labels)
    assert np.array_equal(left.logits(miswired), made().fit(paths, labels).logits(paths))
    left.save(tmp_path / "model")
    assert FewShotClassifier.load(tmp_path / "model").channels == "left"
    assert FewShotClassifier.load(tmp_path / "model", channels="right").channels == "right"
    with pytest.raises(ClassifierError, match="`channels` is 'both'; it is one of average, left, right, louder"):
        made(channels="both").fit(miswired, labels)


def test_the_command_line_answers_pipes_odd_names_and_lists_of_them(support, tmp_path) -> None:
    """Mutagen #648: a name that is no text ended the batch; ``find -print0``; a pipe was opened again."""
    made().fit(*support).save(tmp_path / "model")
    fine, odd = (tmp_path / name for name in ("fine.wav", os.fsdecode(b"caf\xe9.wav")))
    for path in (fine, odd):
        path.write_bytes(support[0][0].read_bytes())
    mgcl = [sys.executable, "-c", "from mgcl.cli import main; main()", "predict", str(tmp_path / "model")]

    def lines(*clips: str, given: bytes) -> list[list[bytes]]:
        done = subprocess.run([*mgcl, *clips], input=given, capture_output=True, check=True)
        return [line.split(b"\t") for line in done.stdout.splitlines()]

    named = lines("-", given=b"\0".join(map(os.fsencode, (odd, fine))) + b"\0")
    assert [Path(os.fsdecode(line[0])).name for line in named] == ["caf\\xe9.wav", "fine.wav"]
    assert [line[1] for line in named] == [b"hum", b"hum"]
    assert lines("/dev/stdin", "--explain", str(tmp_path / "why.html"), given=fine.read_bytes())[0][1] == b"hum"
    assert "/dev/stdin" in (tmp_path / "why.html").read_text(encoding="utf-8")

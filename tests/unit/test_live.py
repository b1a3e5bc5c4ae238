"""What a microphone records, recognised as it arrives: a file takes its place, and stand-ins for PortAudio."""

import itertools
import sys
import types

import numpy as np
import pytest

from mgcl import FewShotClassifier
from mgcl.classifier import microphone as microphones
from mgcl.classifier.stretches import decoded_blocks
from mgcl.errors import ClassifierError
from tests.commands import run
from tests.generated_sounds import waveform, write_sounds


def test_every_window_has_its_line_until_ctrl_c(saved_model, tmp_path, capsys, monkeypatch) -> None:
    path = write_sounds(tmp_path, ("hiss",), clips=1, first=7)["hiss"][0]

    def file(rate, device, *, warn):
        assert (rate, device) == (16000, "2")
        warn(3)
        yield from decoded_blocks(path, rate, "average")
        yield np.zeros(2 * rate, np.float32)
        raise KeyboardInterrupt

    monkeypatch.setattr(microphones, "microphone", file)
    code, output, error = run(capsys, "live", saved_model, "--every", 1, "--window", 1, "--microphone", "2")
    lines = [line.split("\t") for line in output.splitlines()]
    assert code == 0
    assert [line[:2] for line in lines] == [["1.0", "hiss"], ["2.0", "hiss"], ["3.0", "silence"], ["4.0", "silence"]]
    assert float(lines[0][2]) > 0.5
    assert lines[2][2] == "-"
    assert error == "warning: 3 blocks of sound were lost: this machine is too slow; raise --every\n"
    code, _, error = run(capsys, "live", saved_model, "--window", 60)
    assert (code, error.startswith("error: a window has")) == (2, True)


def test_an_answer_does_not_wait_for_later_sound(saved_model) -> None:
    classifier = FewShotClassifier.load(saved_model)
    heard = []

    def blocks():
        for _ in itertools.count():
            heard.append(1)
            yield waveform("hum", 7, 1.0)

    answers = classifier.live(blocks(), every=1.0)
    assert next(answers).label == "hum"
    assert len(heard) == 5  # of a second each: one window of the backbone
    assert (next(answers).start, len(heard)) == (1.0, 6)


class PortAudioError(Exception):
    pass


def portaudio(inputs: dict[int, float], recorded: list[np.ndarray]) -> types.SimpleNamespace:
    """A stand-in for sounddevice with these inputs and their rates; a stream records all blocks when it is opened."""

    class InputStream:
        def __init__(self, *, callback, **about) -> None:
            self.callback = callback
            assert (about["channels"], about["dtype"], about["blocksize"]) == (1, "float32", about["samplerate"] / 10)

        def __enter__(self) -> None:
            for block in recorded:
                self.callback(block[:, None], len(block), None, 0)

        def __exit__(self, *_: object) -> None:
            pass

    def query_devices(device, kind):
        assert kind == "input"
        if not inputs:
            raise PortAudioError("Error querying device -1\nmore")
        if device not in (None, *inputs):
            raise ValueError(f"No input device matching {device!r}")
        return {"default_samplerate": inputs[device or 0]}

    return types.SimpleNamespace(
        PortAudioError=PortAudioError, InputStream=InputStream, query_devices=query_devices, __spec__=object()
    )


def test_blocks_are_resampled_and_losses_are_told(monkeypatch) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(48000) / 48000).astype(np.float32)
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio({0: 48000.0}, list(tone.reshape(10, -1))))
    heard = np.concatenate(list(itertools.islice(microphones.microphone(16000), 10)))
    expected = np.sin(2 * np.pi * 440 * np.arange(len(heard)) / 16000)
    assert len(heard) > 15000
    assert np.abs(heard - expected)[500:-500].max() < 0.01
    monkeypatch.setattr(microphones, "_WAITING", 4)
    lost: list[int] = []
    list(itertools.islice(microphones.microphone(16000, warn=lost.append), 2))
    assert lost == [6]


def test_one_line_says_what_is_missing(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio({}, []))
    with pytest.raises(ClassifierError, match=r"^no microphone \(Error querying device -1\); connect one"):
        next(microphones.microphone(16000))
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio({0: 48000.0}, []))
    with pytest.raises(ClassifierError, match="`microphone` 7: no such input"):
        next(microphones.microphone(16000, "7"))
    monkeypatch.setattr(microphones, "missing", lambda _: "sounddevice: pip install 'mgcl[live]'")
    with pytest.raises(ClassifierError, match=r"a microphone needs sounddevice: pip install 'mgcl\[live\]'"):
        next(microphones.microphone(16000))

"""Recordings as recorders, pipes and other systems leave them."""

import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from mgcl.audio import decoding, formats
from mgcl.audio.decoding import opened
from mgcl.audio.excerpt import audible_clip, duration, excerpt, load_clip
from mgcl.classifier.given import clips
from mgcl.classifier.sounds import Sound, read
from mgcl.classifier.windows import windows
from mgcl.data._check import decode
from mgcl.data.folder import labelled
from mgcl.errors import DataError

RATE = 16000
SECONDS = 4
TIME = np.arange(SECONDS * RATE) / RATE
HISS = 0.02 * np.random.default_rng(0).standard_normal(len(TIME))
TONE = (0.3 * np.sin(2 * np.pi * 200 * TIME) * (1 + 0.5 * np.sin(2 * np.pi * TIME)) + HISS).astype(np.float32)
BYTES = 2 * len(TONE)
CHUNK = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0"


def wav(*, riff: int = BYTES + 36, data: int = BYTES, tail: bytes = b"") -> bytes:
    """A file whose header says what it is told."""
    header = struct.pack("<4sI8sIHHIIHH", b"RIFF", riff % 2**32, b"WAVEfmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return header + b"data" + struct.pack("<I", data % 2**32) + (32767 * TONE).astype("<i2").tobytes() + tail


def all_of(path: Path) -> np.ndarray:
    """What is heard of a file, shape (samples,)."""
    with opened(path) as recording:
        return recording.read(0, recording.frames).mean(1)


def windows_of(path: Path) -> list[Sound]:
    return list(windows(path, every=1.0, sample_rate=RATE, seconds=1.0))


@pytest.mark.parametrize(
    ("riff", "data", "tail"),
    [
        (0x7FFFF024, 0x7FFFF000, b""),
        (0x7FFFFFFF, 0x7FFFFFFF, b""),
        (0x80000024, 0x80000000, b""),
        (0xFFFFFFFF, 0xFFFFFFFF, b""),
        (0, 0, b""),
        (BYTES + 36, 0, b""),
        (BYTES + 38, BYTES + 2, b""),
        (BYTES + 52, BYTES + 16, b""),
        (BYTES + 80, BYTES + 44, b""),
        (BYTES // 2 + 36, BYTES // 2, b""),
        (BYTES + 36, BYTES - 44, b""),
        (BYTES + 36 + len(CHUNK), BYTES, CHUNK),
        (BYTES + 36, BYTES, b"TAG" + bytes(125)),
        (BYTES + 36, BYTES, bytes(512)),
        (0, 0, CHUNK),
        (0xFFFFFFFF, 0xFFFFFFFF, CHUNK),
    ],
)
def test_a_wav_is_heard_to_its_last_frame_whatever_its_header_says(
    riff: int, data: int, tail: bytes, tmp_path: Path
) -> None:
    """Kaldi #1567, jamulus #542, oboe #2108, norns #1436, minutes #519, python-soundfile #228, libsndfile #300."""
    path = tmp_path / "pipe.wav"
    path.write_bytes(wav(riff=riff, data=data, tail=tail))
    assert decode(path).fault is None
    assert np.allclose(all_of(path), TONE, atol=1e-4)
    assert len(windows_of(path)) == SECONDS
    assert np.allclose(load_clip(path, clip_id="c", sample_rate=RATE, seconds=SECONDS), TONE, atol=1e-4)


@pytest.mark.parametrize("layout", ["AIFF", "AU", "CAF", "W64", "RF64"])
@pytest.mark.parametrize("said", ["nothing", "half", "unknown", "a header more"])
def test_so_is_every_container(layout: str, said: str, tmp_path: Path) -> None:
    """Kaldi #1567: the size of the samples is a hint in all of them."""
    path = tmp_path / "sound"
    soundfile.write(path, TONE, RATE, format=layout, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    place, form, more = {
        "AIFF": (content.find(b"SSND") + 4, ">I", 8),
        "AU": (8, ">I", 0),
        "CAF": (content.find(b"data") + 4, ">q", 4),
        "W64": (content.find(b"data") + 16, "<q", 24),
        "RF64": (content.find(b"ds64") + 16, "<q", 0),
    }[layout]
    assert struct.unpack_from(form, content, place) == (BYTES + more,)
    sizes = {"nothing": 0, "half": BYTES // 2 + more, "a header more": BYTES + more + 16}
    unknown = -1 if form.endswith("q") else 0xFFFFFFFF
    struct.pack_into(form, content, place, sizes.get(said, unknown))
    path.write_bytes(content)
    assert np.allclose(all_of(path), TONE, atol=1e-4)
    assert decode(path).fault is None


def test_a_wav_over_4_gigabytes_is_heard_to_its_end(tmp_path: Path) -> None:
    """Libsndfile #300, python-soundfile #228: what is left of the size in 32 bits."""
    path, total = tmp_path / "night.wav", 5_000_000_000
    with path.open("wb") as file:
        file.write(wav(riff=total + 36, data=total))
        file.truncate(44 + total)  # a hole: it takes no place
        file.seek(44 + total - BYTES)
        file.write((32767 * TONE).astype("<i2").tobytes())
    with opened(path) as recording:
        assert recording.frames == total // 2
        assert np.allclose(recording.read(recording.frames - len(TONE), len(TONE))[:, 0], TONE, atol=1e-4)


def mp3(path: Path, *, frames_said: int | None = None) -> bytes:
    """An mp3 as LAME writes it, without its first frame, which counts the others, or with another count."""
    soundfile.write(path, TONE, RATE, format="MP3")
    content = path.read_bytes()
    place = max(content.find(b"Xing"), content.find(b"Info"))
    if frames_said is not None:
        return content[: place + 8] + struct.pack(">I", frames_said) + content[place + 12 :]
    start = content.rfind(b"\xff", 0, place)
    following = content.find(content[start : start + 2], place)
    return content[following:]


def test_an_mp3_without_a_length_is_heard_whole(tmp_path: Path) -> None:
    """Sdrtrunk #1377, libsndfile #1086: a quiet start made it look four times as long, a loud one as short."""
    path = tmp_path / "noxing.mp3"
    path.write_bytes(mp3(path))
    whole = all_of(path)
    assert SECONDS <= len(whole) / RATE < SECONDS + 0.2
    shift = int(np.argmax(np.correlate(whole[: RATE + 3000], TONE[:RATE], "valid")))
    assert np.corrcoef(whole[shift:][: len(TONE)], TONE)[0, 1] > 0.99
    assert decode(path).fault is None
    assert len(windows_of(path)) == SECONDS + 1


def test_joined_files_are_heard_one_after_the_other(tmp_path: Path) -> None:
    """Sdrtrunk #1377, pytorch/audio #2524: ``cat a.mp3 b.mp3``; ogg and flac have it too."""
    for suffix, content in (
        (".mp3", mp3(tmp_path / "a.mp3", frames_said=len(TONE) // 576 + 2)),
        *((suffix, written(tmp_path / f"a{suffix}")) for suffix in (".ogg", ".flac", ".wav", ".opus")),
    ):
        path = tmp_path / f"joined{suffix}"
        path.write_bytes(content * 2)
        assert duration(path) == pytest.approx(2 * SECONDS, abs=0.25), suffix
        with opened(path) as recording:
            assert len(all_of(path)) == recording.frames
        assert abs(len(windows_of(path)) - 2 * SECONDS) <= 1


def written(path: Path) -> bytes:
    soundfile.write(path, TONE, RATE, format={".opus": "OGG"}.get(path.suffix), subtype=_subtype(path))
    return path.read_bytes()


def _subtype(path: Path) -> str | None:
    return "OPUS" if path.suffix == ".opus" else None


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".au", ".caf", ".w64", ".flac", ".ogg", ".opus", ".mp3"])
def test_a_cut_file_is_said_to_be_cut_by_whoever_reads_it(suffix: str, tmp_path: Path) -> None:
    """Pytorch/audio #3762: refused by one reader, answered by another."""
    path = tmp_path / f"half{suffix}"
    content = written(path)
    path.write_bytes(content[: len(content) // 2])
    words = rf"half{suffix}: is cut short: "
    for reader in (all_of, duration, windows_of):
        with pytest.raises(DataError, match=words):
            reader(path)
    for clip_id in "abcdef":
        with pytest.raises(DataError, match=words):
            load_clip(path, clip_id=clip_id, sample_rate=RATE, seconds=0.1)
    assert str(decode(path).fault).startswith("is cut short: ")
    if suffix not in (".ogg", ".opus"):
        there, _, promised = str(decode(path).fault).split()[3:6]
        assert float(promised) == pytest.approx(SECONDS, abs=0.2)
        assert 0.3 * SECONDS < float(there) < 0.8 * SECONDS


def test_a_flac_of_unknown_length_is_heard_whole(tmp_path: Path) -> None:
    """Its length is 0 where a pipe was written to (RFC 9639, section 8.2)."""
    path = tmp_path / "pipe.flac"
    content = bytearray(written(path))
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])
    path.write_bytes(content)
    assert np.allclose(all_of(path), TONE, atol=1e-4)
    assert len(windows_of(path)) == SECONDS


def test_an_mp3_is_heard_alike_wherever_one_begins(tmp_path: Path) -> None:
    """To seek in an mp3 is not exact, and a seek after each block, as soundfile makes it, is heard."""
    path = tmp_path / "long.mp3"
    soundfile.write(path, np.tile(TONE, 8), RATE)
    at_once, _ = soundfile.read(path, dtype="float32")
    with opened(path) as recording:
        assert np.allclose(np.concatenate(list(recording.blocks()))[:, 0], at_once, atol=1e-5)
        assert np.allclose(recording.read(300001, 5000)[:, 0], at_once[300001:305001], atol=1e-5)


def test_what_a_decoder_notes_is_not_printed(tmp_path: Path) -> None:
    """Tags and what lies between frames are left out: libmpg123 prints notes on them that name no file."""
    path = tmp_path / "tagged.mp3"
    content = mp3(path, frames_said=len(TONE) // 576 + 2)
    tag = b"ID3\x03\x00\x00\x00\x00\x00\x20" + b"TXXX\xff\xff\xff\xff" + bytes(24)
    path.write_bytes(tag + content + b"junk" * 300 + tag + content)
    code = f"from pathlib import Path\nfrom mgcl.data._check import decode\nprint(decode(Path({str(path)!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fault=None" in done.stdout
    assert done.stderr == ""
    assert decode(path).seconds == pytest.approx(2 * SECONDS, abs=0.25)


def test_channels_that_cancel_are_said_before_they_are_mixed(tmp_path: Path) -> None:
    """WhisperX #750, pytorch/audio #877."""
    path = tmp_path / "phase.wav"
    soundfile.write(path, np.stack([TONE, -0.99 * TONE], 1), RATE)
    with pytest.raises(DataError, match=r"phase\.wav: its channels are in opposite phase"):
        audible_clip(path, clip_id="c", sample_rate=RATE, seconds=2.0)
    (heard,) = read([path], sample_rate=RATE, seconds=1.0)
    assert isinstance(heard, DataError)
    with pytest.raises(DataError, match="clip 0: its channels are in opposite phase"):
        clips([np.stack([TONE, -TONE], 1)], sample_rate=RATE)
    with pytest.raises(DataError, match="opposite phase"):
        windows_of(path)
    assert "opposite phase" in str(decode(path).fault)
    assert decode(path, "left").fault is None


@pytest.mark.parametrize(("how", "heard"), [("average", 0.5), ("left", 0.25), ("right", 0.75), ("louder", 0.75)])
def test_a_channel_is_chosen(how: str, heard: float, tmp_path: Path) -> None:
    """WhisperX #750: a voice on one channel, a hum on the other."""
    path = tmp_path / "stereo.flac"
    soundfile.write(path, np.stack([0.25 * TONE, 0.75 * TONE], 1), RATE)
    clip = load_clip(path, clip_id="c", sample_rate=RATE, seconds=SECONDS, channels=how)
    assert np.allclose(clip, heard * TONE, atol=1e-3)
    whole = np.concatenate(
        [each.waveform for each in windows(path, every=1.0, sample_rate=RATE, seconds=1.0, channels=how)]
    )
    assert np.allclose(whole, heard * TONE, atol=1e-3)


def test_the_louder_channel_is_that_of_the_file(tmp_path: Path) -> None:
    """Not that of a window: two voices would be cut into each other."""
    path = tmp_path / "turns.wav"
    early = np.where(TIME < 1, 1.0, 0.0) * TONE
    soundfile.write(path, np.stack([early, 0.7 * TONE], 1), RATE)
    first, *_ = windows(path, every=1.0, sample_rate=RATE, seconds=1.0, channels="louder")
    assert np.allclose(first.waveform, (0.7 * TONE)[:RATE], atol=1e-3)


def test_floats_in_the_range_of_int16_are_a_fault(tmp_path: Path) -> None:
    """Full scale is 1; ``data check`` had nothing to say."""
    path = tmp_path / "loud.wav"
    soundfile.write(path, 32767 * TONE, RATE, subtype="FLOAT")
    assert "where full scale is 1" in str(decode(path).fault)
    with pytest.raises(DataError, match=r"loud\.wav: a sample is"):
        load_clip(path, clip_id="c", sample_rate=RATE, seconds=1.0)


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_a_name_that_is_no_text_is_a_file_like_others(tmp_path: Path) -> None:
    """Mutagen #648."""
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "fine.wav").write_bytes(wav())
    path = Path(os.fsdecode(bytes(tmp_path / "a") + b"/caf\xe9.wav"))
    path.write_bytes(wav())
    heard = list(read([path, tmp_path / "a" / "fine.wav"], sample_rate=RATE, seconds=1.0))
    assert [each.name.encode()[-9:] for each in heard if isinstance(each, Sound)] == [rb"f\xe9.wav", b"/fine.wav"]
    assert [file.clip_id for file in labelled(tmp_path)] == ["a/caf\\xe9", "a/fine", "b/fine"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """``cat x.wav | mgcl predict m /dev/stdin``: opened again for its digest and its length, it hung or failed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    whole = tmp_path / "whole.wav"
    whole.write_bytes(wav())
    with subprocess.Popen(["sh", "-c", f"cat '{whole}' > '{pipe}'"]):
        (heard,) = read([pipe], sample_rate=RATE, seconds=1.0)
    assert isinstance(heard, Sound)
    (same,) = read([whole], sample_rate=RATE, seconds=1.0)
    assert isinstance(same, Sound)
    assert heard.digest == same.digest
    assert (heard.seconds, heard.is_silent) == (SECONDS, False)


@pytest.mark.parametrize("name", ["folder.wav", "a\0b.wav", "n" * 300 + ".wav", "/dev/null", "gone.wav", "text.wav"])
def test_whatever_cannot_be_opened_is_named_and_the_others_go_on(name: str, tmp_path: Path) -> None:
    """Mutagen #648: errors were caught by their class."""
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "fine.wav").write_bytes(wav())
    wrong, fine = read([tmp_path / name, tmp_path / "fine.wav"], sample_rate=RATE, seconds=1.0)
    assert isinstance(wrong, DataError)
    assert str(tmp_path / name) in str(wrong)
    assert isinstance(fine, Sound)


@pytest.mark.parametrize("name", sorted(formats._LIBSNDFILE))
def test_what_is_listed_is_what_is_decoded(name: str, tmp_path: Path) -> None:
    """Gradio #10153: aiff and opus were answered when they were named, and passed over in a folder."""
    for suffix in formats._LIBSNDFILE[name]:
        for label in ("a", "b"):
            (tmp_path / label).mkdir(exist_ok=True)
            path = tmp_path / label / f"x{suffix}"
            subtype = _subtype(path)
            soundfile.write(path, TONE, RATE, format="OGG" if subtype else name, subtype=subtype)
            assert len(load_clip(path, clip_id="c", sample_rate=RATE, seconds=1.0)) == RATE
        assert suffix in {file.path.suffix for file in labelled(tmp_path)}


def aac(path: Path, **options: str) -> Path:
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, len(TONE), 1024):
            frame = av.AudioFrame.from_ndarray(TONE[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["phone.m4a", "phone.aac"])
def test_what_phones_record_is_heard_with_pyav(name: str, tmp_path: Path) -> None:
    """BirdNET-Analyzer #635: a folder from a phone."""
    path = aac(tmp_path / name)
    assert duration(path) == pytest.approx(SECONDS, abs=0.2)
    with opened(path) as recording:
        cut = excerpt(recording, clip_id="c", sample_rate=RATE, seconds=1.0)
    assert np.sqrt(np.mean(cut.waveform**2)) == pytest.approx(np.sqrt(np.mean(TONE**2)), rel=0.3)
    assert SECONDS <= len(windows_of(path)) <= SECONDS + 1


@pytest.mark.parametrize(("name", "options"), [("a.m4a", {"movflags": "+faststart"}), ("a.mka", {})])
def test_a_cut_file_with_its_index_in_front_is_said_to_be_cut(
    name: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = aac(tmp_path / name, **options)
    assert duration(path) == pytest.approx(SECONDS, abs=0.2)
    content, faults = path.read_bytes(), []
    for cut in range(len(content) // 2, len(content) // 2 + 500, 10):
        path.write_bytes(content[:cut])
        with pytest.raises(
            DataError, match=r"a\.m..: (is cut short: |cannot be decoded after )\d\.\d\d of 4\."
        ) as fault:
            duration(path)
        faults.append(str(fault.value))
    assert name == "a.m4a" or "is cut short" in faults[0]


def test_what_a_decoder_has_against_the_middle_of_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "damaged.flac"
    content = bytearray(written(path))
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"damaged\.flac: cannot be decoded after \d.\d\d of 4\.00 s \(.*flac.*\); fetch"
    ):
        all_of(path)


def test_without_pyav_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BirdNET-Analyzer #635: nothing was said of m4a."""
    path = aac(tmp_path / "my phone.m4a")
    for module in (formats, decoding):
        monkeypatch.setattr(module, "has_pyav", lambda: False)
    with pytest.raises(DataError, match=r"needs PyAV: pip install 'mgcl\[m4a\]'; or write it as wav: ffmpeg"):
        load_clip(path, clip_id="c", sample_rate=RATE, seconds=1.0)

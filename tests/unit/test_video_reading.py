"""Videos in real containers: what is decoded, when, and what is said of broken ones."""

from pathlib import Path

import av
import numpy as np
import pytest

from mgcl.errors import DataError
from mgcl.video.picture import Steps
from mgcl.video.reading import Decoded, decode, duration
from mgcl.video.writing import write_mp4
from tests.generated_videos import CODECS, RATE, greys, tone, write

LEVELS = [20, 20, 20, 20, 120, 120, 120, 120, 220, 220, 220, 220]
"""Greys of a quarter second each: three of one second, which are 25 frames each."""


def frames() -> np.ndarray:
    return greys(np.repeat(LEVELS, [6, 6, 6, 7] * 3).tolist())


def read(path: Path, seconds: float = 0.5, per_step: int = 1) -> Decoded:
    return decode(path, Steps(seconds, per_step, lambda pixels: pixels), sample_rate=RATE)


def levels(decoded: Decoded) -> list[int]:
    """Mean grey of every kept frame."""
    assert decoded.frames is not None
    return decoded.frames.reshape(-1, *decoded.frames.shape[2:]).mean((1, 2, 3)).round().astype(int).tolist()


@pytest.mark.parametrize("suffix", CODECS)
def test_sound_and_picture_of_every_container(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{suffix}", frames=frames(), sound=tone(3.0, 48000, 2), rate=48000)
    decoded = read(path, 0.25)
    assert decoded.waveform is not None and len(decoded.waveform) == pytest.approx(3 * RATE, abs=0.1 * RATE)
    spectrum = np.abs(np.fft.rfft(decoded.waveform[RATE // 2 : -RATE // 2]))
    assert np.argmax(spectrum) * RATE / (2 * (len(spectrum) - 1)) == pytest.approx(440, abs=2)
    assert np.abs(decoded.waveform).max() == pytest.approx(0.3, rel=0.2)
    assert np.allclose(levels(decoded)[1:12:2], [20, 20, 120, 120, 220, 220], atol=6)
    assert duration(path) == pytest.approx(3.0, abs=0.2)


def test_a_frame_is_the_one_that_is_shown(tmp_path: Path) -> None:
    """Variable frame rate: frames at 0, 0.1, 0.9, 1.0, 2.0 s, sampled each quarter second."""
    times = [0.0, 0.1, 0.9, 1.0, 2.0]
    path = write(tmp_path / "a.mkv", frames=greys([0, 50, 100, 150, 200]), times=times)
    kept = levels(read(path, 0.25))
    expected = [[0, 50, 100, 150, 200][sum(time <= each + 1e-6 for time in times) - 1] for each in np.arange(9) / 4]
    assert np.allclose(kept[:9], expected, atol=6)
    steps = read(path, 0.5, 2).frames
    assert steps is not None and steps.shape[1:] == (2, 32, 48, 3)
    assert np.allclose(steps.mean((2, 3, 4)).ravel()[:9], expected, atol=6)


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_turned_picture_is_turned_back(rotation: int, tmp_path: Path) -> None:
    pixels = greys([0] * 10)
    pixels[:, :16, :24] = 255  # its upper left quarter
    decoded = read(write(tmp_path / "a.mp4", frames=pixels, rotation=rotation))
    assert decoded.frames is not None
    seen = decoded.frames[0, 0, ..., 0] > 128
    assert np.mean(seen != np.rot90(pixels[0, ..., 0] > 128, rotation // 90)) < 0.05


def test_a_missing_modality_is_none(tmp_path: Path) -> None:
    silent, blind = write(tmp_path / "a.mp4", frames=frames()), write(tmp_path / "b.mp4", sound=tone(1.0))
    assert read(silent).waveform is None and levels(read(silent))
    assert read(blind).frames is None and read(blind).waveform is not None


def test_a_cover_is_no_picture(tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    image = BytesIO()
    Image.new("RGB", (32, 32), (200, 0, 0)).save(image, "PNG")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        heard = container.add_stream("aac", rate=RATE, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        block = av.AudioFrame.from_ndarray(tone(0.5)[:, :1024], format="fltp", layout="mono")
        block.sample_rate = RATE
        packet = av.Packet(image.getvalue())
        packet.stream, packet.pts, packet.dts = cover, 0, 0
        container.mux(packet)
        container.mux(heard.encode(block))
        container.mux(heard.encode(None))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert len(container.streams.video) == 1
    assert read(tmp_path / "a.mp4").frames is None


def test_sound_that_begins_later_stays_in_time(tmp_path: Path) -> None:
    decoded = read(write(tmp_path / "a.mkv", frames=frames(), sound=tone(1.0), delay=1.0))
    assert decoded.waveform is not None
    assert np.flatnonzero(np.abs(decoded.waveform) > 0.05)[0] == pytest.approx(RATE, abs=0.05 * RATE)


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {"movflags": "+faststart"}), ("a.mp4", {}), ("a.mkv", {}), ("a.webm", {})]
)
def test_a_file_that_is_cut_is_named(name: str, options: dict[str, str], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (75, 32, 48, 3), dtype=np.uint8)
    path = write(tmp_path / name, frames=noise, sound=tone(3.0, 48000), rate=48000, options=options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"{name}: (is cut short|cannot be).*(fetch it again|ffmpeg)"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"", r"is empty \(0 bytes\)"),
        ("a.mp4", b"no video at all" * 100, "cannot be opened as a video"),
        ("a.webm", b"#EXTM3U\nhttp://localhost/a.ts\n", "cannot be opened as a video"),
        ("a.txt", b"text", r"is none of \.mp4"),
    ],
)
def test_what_is_no_video_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: {message}"):
        read(tmp_path / name)
    with pytest.raises(DataError, match=r"gone\.mp4: no such file"):
        read(tmp_path / "gone.mp4")


def test_times_that_jump_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", frames=greys([0, 50, 100]), times=[0.0, 0.1, 90000.0])
    with pytest.raises(DataError, match=r"a\.mkv: shows one picture until 90000 s, so its times are wrong"):
        read(path)


def test_channels_that_cancel_are_named(tmp_path: Path) -> None:
    one = tone(1.0)[0]
    path = write(tmp_path / "a.mkv", frames=frames(), sound=np.stack([one, -one]))
    with pytest.raises(DataError, match=r"a\.mkv: its channels are in opposite phase"):
        read(path)
    left = decode(path, Steps(0.5, 1, lambda pixels: pixels), sample_rate=RATE, channels="left").waveform
    assert left is not None and np.allclose(left, one, atol=1e-3)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    from fractions import Fraction

    sound = tone(2.0)[0]
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, greys([10] * 13 + [200] * 12), sound, frame_rate=Fraction(25, 2), sample_rate=RATE)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    decoded = read(tmp_path / "a.mp4", 0.08 * 13)
    assert decoded.waveform is not None and np.allclose(decoded.waveform, sound, atol=1e-4)
    assert np.allclose(levels(decoded), [10, 200], atol=4)

"""Recordings as recorders, pipes and other systems leave them."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl.audio.clip import load_clip
from mgcl.data.check import listen

RATE = 16000
TONE = 0.3 * np.sin(np.arange(2 * RATE) / 16)


@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_is_whole(size: int, tmp_path: Path) -> None:
    """Kaldi #1567, jamulus #542, oboe #2108."""
    path = tmp_path / "pipe.wav"
    soundfile.write(path, TONE, RATE)
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)
    assert listen(path).fault is None
    assert len(load_clip(path, clip_id="c", sample_rate=RATE, seconds=2.0)) == len(TONE)


def test_channels_that_cancel_are_a_fault(tmp_path: Path) -> None:
    """WhisperX #750, pytorch/audio #877."""
    path = tmp_path / "phase.wav"
    soundfile.write(path, np.stack([TONE, -TONE], 1), RATE)
    assert "opposite phase" in str(listen(path).fault)

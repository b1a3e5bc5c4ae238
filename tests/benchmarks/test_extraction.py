"""From audio files to features, beside reading the files alone and beside one clip at a time."""

import pytest

from mgcl.backbones import tiny
from mgcl.data import soundscapes
from mgcl.data.dataset import AudioFile
from mgcl.features import extract

CLIPS = 100
GROUP = f"embedding {CLIPS} clips of five seconds with the tiny backbone"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[AudioFile, ...]:
    root = tmp_path_factory.mktemp("data") / "soundscapes"
    return soundscapes.generate(root, clips=4, workers=2).files[:CLIPS]


@pytest.mark.parametrize("which", ["mgcl cpu", "files read and resampled alone", "one clip at a time"])
def test_extraction(timed, files, which) -> None:
    backbone = tiny.load()
    jobs = {
        "mgcl cpu": lambda: extract._embed_files(files, backbone),
        "files read and resampled alone": lambda: [extract._waveform(file, backbone) for file in files],
        "one clip at a time": lambda: [extract._embed_files((file,), backbone) for file in files],
    }
    timed(GROUP, which, jobs[which])

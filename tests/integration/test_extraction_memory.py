"""Extraction's memory does not grow with the data set: what grows are files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = """
import sys, threading, time
from pathlib import Path
from types import SimpleNamespace
import torch
from mgcl.backbones.backbone import AudioFeatures
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.extraction.extract import extract
from mgcl.extraction.texts import Texts
from mgcl.language.explanations import from_templates

D, N = 1024, 20

def embed_audio(waveforms):
    clips = torch.ones(len(waveforms), D)
    clips[:, 0] += 1000 * waveforms.abs().mean(1)
    return AudioFeatures(clips[:, None].repeat(1, N, 1), clips)

def embed_text(texts):
    return torch.stack([torch.randn(D, generator=torch.Generator().manual_seed(len(text))) for text in texts])

backbone = SimpleNamespace(
    name="ones", fingerprint="0" * 16, embedding_dim=D, logit_scale=100.0, sample_rate=8000, seconds=1.0, segments=N,
    segment_seconds=1 / N, captions=(), embed_audio=embed_audio, embed_text=embed_text,
)
peak = 0

def watch():
    global peak
    while True:
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.002)

def run(clips, out):
    files = tuple(AudioFile(f"{i:05}", Path(sys.argv[1]), "ab"[i % 2]) for i in range(clips))
    dataset = Dataset("ones", "", "", files)
    texts = Texts.of(dataset, backbone, classes=from_templates(dataset.classes))
    extract(dataset, backbone, Path(sys.argv[2]) / out, texts=texts)

run(50, "warm")
threading.Thread(target=watch, daemon=True).start()
run(int(sys.argv[3]), "bank")
print(peak / 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own account of memory")
def test_four_times_the_clips_take_the_same_memory(tmp_path) -> None:
    wav, script = tmp_path / "a.wav", tmp_path / "run.py"
    soundfile.write(wav, 0.1 * np.random.default_rng(0).standard_normal(8000), 8000)
    script.write_text(SCRIPT)
    peaks = []
    for clips in (500, 2000):
        (tmp_path / str(clips)).mkdir()
        command = [sys.executable, str(script), str(wav), str(tmp_path / str(clips)), str(clips)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        peaks.append(float(done.stdout))
    segments = 1500 * 20 * 1024 * 4 / 2**20
    assert peaks[1] - peaks[0] < segments / 4, f"{peaks} MB for 500 and 2,000 clips, whose segments are 39 and 156 MB"

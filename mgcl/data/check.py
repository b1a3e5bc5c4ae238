"""Whether a data set's clips are all there and can all be heard: every file is decoded, and what is wrong is listed."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from tqdm import tqdm

from mgcl.data.audio import SILENT, SUFFIXES, is_cut_short
from mgcl.data.dataset import AudioFile, DatasetModule, MissingFilesError

SHORTEST = 0.25
"""Seconds; FSDKaggle18's shortest clips have 0.3."""
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Sound:
    """What decoding one file told."""

    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    digest: str = ""
    """Of its samples."""
    fault: str | None = None


@dataclass(frozen=True)
class Report:
    """What a check found."""

    clips: int
    classes: int
    sounds: Mapping[Path, Sound]
    problems: tuple[str, ...]
    """Empty: all is well. One line each."""

    @property
    def lengths(self) -> pd.DataFrame:
        """Clips and their lengths in seconds, a row for each sample rate (Hz) and number of channels."""
        decoded = [sound for sound in self.sounds.values() if sound.sample_rate]
        rows = pd.DataFrame(decoded, columns=[field.name for field in fields(Sound)])
        groups = rows.groupby(["sample_rate", "channels"])["seconds"]
        return groups.agg(clips="count", shortest="min", median="median", longest="max", total="sum").reset_index()


def check(module: DatasetModule, root: Path, *, workers: int = 1) -> Report:
    """Decode every clip of a data set, a block at a time.

    Wrong are: files that are listed but missing, or there but not listed, unless ``root`` is itself the list; sounds
    that cannot be decoded, are empty, end early, are silent, are shorter than ``SHORTEST`` or hold NaN; one sound in
    two classes.

    Args:
        module: the data set's.
        root: where it lies.
        workers: threads that decode.

    Raises:
        DataError: the data set's table cannot be read, so that there is nothing to go through.
    """
    try:
        files = module.read(root).files
    except MissingFilesError as error:
        files = error.listed
    present = [file for file in files if file.path.is_file()]
    with ThreadPool(workers) as pool:  # leaving it drops what is queued, so that Ctrl-C is heard
        heard = pool.imap(listen, [file.path for file in present])
        progress = tqdm(heard, desc="decoding", total=len(present), unit="clip")
        sounds = {file.path: sound for file, sound in zip(present, progress, strict=True)}
    problems = (
        *(f"{file.path}: listed, but not there" for file in files if file.path not in sounds),
        *(f"{path}: there, but not listed" for path in (() if root.is_file() else _unlisted(files))),
        *(f"{path}: {sound.fault}" for path, sound in sounds.items() if sound.fault),
        *_in_two_classes(present, sounds),
    )
    return Report(len(files), len({file.label for file in files}), sounds, problems)


def listen(path: Path) -> Sound:
    """Decode a file in memory that does not grow with its length."""
    frames, peak, mixed, digest = 0, 0.0, 0.0, hashlib.sha256()
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels, promised = file.samplerate, file.channels, file.frames
            if is_cut_short(file):
                return Sound(fault="is cut short")
            digest.update(f"{rate} {channels}".encode())
            # not file.blocks(): it fills up with old samples where a file ends early
            while len(block := file.read(_BLOCK // channels, dtype="float32", always_2d=True)):
                frames += len(block)
                peak = max(peak, float(np.abs(block).max())) if np.isfinite(block).all() else np.inf
                # what a backbone is given
                mixed = max(mixed, float(np.abs(block.mean(1)).max())) if np.isfinite(peak) else np.inf
                digest.update(block)
    except (soundfile.LibsndfileError, OSError) as error:
        return Sound(fault=f"cannot be decoded ({error})")
    return Sound(frames / rate, rate, channels, digest.hexdigest(), _fault(frames, promised, rate, peak, mixed))


def _fault(frames: int, promised: int, rate: int, peak: float, mixed: float) -> str | None:
    if not frames:
        return "holds no samples"
    if frames < promised:
        return f"ends after {frames / rate:.2f} s, but its header gives {promised / rate:.2f} s"
    if np.isinf(peak):
        return "a sample is NaN or infinite"
    if peak < SILENT:
        return f"silent: its peak is {peak:.1e}"
    if mixed < SILENT:
        return "its channels are in opposite phase and cancel when they are mixed; keep one channel"
    if frames < SHORTEST * rate:
        return f"only {frames / rate:.3f} s long"
    return None


def _unlisted(files: tuple[AudioFile, ...]) -> Iterator[Path]:
    """Sounds that lie beside the clips and are none."""
    listed = {file.path for file in files}
    for folder in sorted({path.parent for path in listed if path.parent.is_dir()}):
        yield from sorted(path for path in folder.iterdir() if _is_clip(path) and path not in listed)


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _in_two_classes(files: list[AudioFile], sounds: Mapping[Path, Sound]) -> Iterator[str]:
    alike: defaultdict[str, list[AudioFile]] = defaultdict(list)
    for file in files:
        if not sounds[file.path].fault:
            alike[sounds[file.path].digest].append(file)
    for group in alike.values():
        if len({file.label for file in group}) > 1:
            yield f"one sound in several classes: {', '.join(f'{file.path} ({file.label})' for file in group)}"

"""Generated soundscapes: classes of synthesised sounds, written as audio files in ESC-50's layout."""

import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import soundfile

from mgcl.data.dataset import Dataset
from mgcl.data.esc50 import audio_files, read_table
from mgcl.data.soundscapes.recipes import SPLITS, VERSION, Recipe, class_recipes, drawn_recipes
from mgcl.data.soundscapes.scene import compose
from mgcl.data.soundscapes.sources import SAMPLE_RATE
from mgcl.errors import DataError
from mgcl.progress import Bar
from mgcl.seeding import generator

CLIPS = 40
_FOLDS = 5
_STAMP = "soundscapes.txt"


def read(root: Path) -> Dataset:
    """List generated soundscapes.

    Raises:
        DataError: the soundscapes are missing or incomplete.
    """
    stamp = root / _STAMP
    if not stamp.is_file():
        raise DataError(f"{stamp}: missing; generate the data set with `mgcl data generate --root {root}`")
    split, revision = stamp.read_text(encoding="utf-8").split()
    name = "soundscapes" if split == "evaluation" else f"soundscapes-{split}"
    return Dataset(name, revision, "CC0-1.0", audio_files(root, read_table(root)))


def generate(root: Path, *, split: str = "evaluation", clips: int = CLIPS, seed: int = 0, workers: int = 1) -> Dataset:
    """Write the classes of one split as five-second files. A folder that holds them already is left as it is.

    Args:
        root: folder to make.
        split: "evaluation", "development" or "training".
        clips: number of clips per class.
        seed: seed of everything that is drawn.
        workers: number of processes.

    Raises:
        DataError: there is no such split, ``clips`` is less than 1, or the folder holds something else.
    """
    if split not in SPLITS:
        raise DataError(f"`split` {split}: choose {', '.join(SPLITS)}")
    if clips < 1:
        raise DataError(f"`clips` {clips}: at least 1 per class")
    stamp = f"{split} {VERSION}.{seed}.{clips}"
    if root.exists():
        if (root / _STAMP).is_file() and (root / _STAMP).read_text(encoding="utf-8").strip() == stamp:
            return read(root)
        raise DataError(f"{root}: exists, and is not the soundscapes asked for ({stamp}); name another folder")
    partial = root.with_name(f"{root.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    for folder in ("meta", "audio"):
        (partial / folder).mkdir(parents=True)
    named = class_recipes(split)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(_write_class, partial, split, clips, seed, target, each) for target, each in enumerate(named)
        ]
        with Bar(jobs, desc="generating classes", unit="recipe") as bar:
            rows = [row for job in bar for row in job.result()]
    pd.DataFrame(rows).to_csv(partial / "meta" / "esc50.csv", index=False)
    (partial / _STAMP).write_text(f"{stamp}\n", encoding="utf-8")
    partial.replace(root)
    return read(root)


def _write_class(root: Path, split: str, clips: int, seed: int, target: int, recipe: Recipe) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for index in range(clips):
        fold, source = index % _FOLDS + 1, f"{target:03}{index:03}"
        name = f"{fold}-{source}-A-{target}.wav"
        scene = compose(
            recipe, drawn_recipes(split), generator("soundscape", VERSION, split, seed, recipe.label, index)
        )
        soundfile.write(root / "audio" / name, scene.waveform, SAMPLE_RATE, subtype="PCM_16")
        row = {"filename": name, "fold": fold, "target": target, "category": recipe.label, "esc10": False}
        rows.append(row | {"src_file": source, "take": "A"})
    return rows

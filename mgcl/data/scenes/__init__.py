"""Generated scenes: classes of a sound and a sight in one order, written as mp4 files with sound."""

import csv
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

from mgcl.data.dataset import AudioFile, Dataset, complete, read_table
from mgcl.data.scenes.recipes import CLIPS, VERSION, VOCABULARIES, Counts, SceneClip, scene_classes, scene_clips
from mgcl.errors import DataError
from mgcl.progress import Bar
from mgcl.records import digest
from mgcl.seeding import generator

PICTURES = True
_STAMP, _TABLE = "scenes.txt", "scenes.csv"
_COLUMNS = ("path", "label", "part", "split")


def read(root: Path) -> Dataset:
    """List generated scenes.

    Raises:
        DataError: the scenes are missing or incomplete.
    """
    stamp = root / _STAMP
    if not stamp.is_file():
        raise DataError(f"{stamp}: missing; generate the data set with `mgcl data generate scenes --root {root}`")
    vocabulary, revision = stamp.read_text(encoding="utf-8").split()
    table = read_table(root / _TABLE, _COLUMNS, missing="generate the scenes again")
    files = [AudioFile(Path(row.path).stem, root / row.path, row.label, split=row.split) for row in table.itertuples()]
    parts: Mapping[str, str] = dict(zip(table["label"], table["part"], strict=True))
    return Dataset(_name(vocabulary), revision, "CC0-1.0", complete(files, table=_TABLE), pictures=True, parts=parts)


def generate(
    root: Path, *, vocabulary: str = "evaluation", clips: Counts = CLIPS, seed: int = 0, workers: int = 1
) -> Dataset:
    """Write the clips of one vocabulary as mp4 files. A folder that holds them already is left as it is.

    Args:
        root: folder to make.
        vocabulary: "evaluation" (the classes of reports) or "development" (classes to choose settings on).
        clips: part -> number of clips per class for training, validation and test.
        seed: seed of everything that is drawn.
        workers: number of processes.

    Raises:
        DataError: there is no such vocabulary, or the folder holds something else.
    """
    if vocabulary not in VOCABULARIES:
        raise DataError(f"`split` {vocabulary}: choose {', '.join(VOCABULARIES)}")
    stamp = f"{vocabulary} {VERSION}.{seed}.{digest(dict(clips))[:8]}"
    if root.exists():
        if (root / _STAMP).is_file() and (root / _STAMP).read_text(encoding="utf-8").strip() == stamp:
            return read(root)
        raise DataError(f"{root}: exists, and is not the scenes asked for ({stamp}); name another folder")
    partial = root.with_name(f"{root.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "clips").mkdir(parents=True)
    classes = scene_classes(vocabulary)
    listed = [(f"clips/{classes.index(each.of):02}-{each.index:02}.mp4", each) for each in scene_clips(classes, clips)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(_write, partial, vocabulary, seed, [each for each in listed if each[1].of == of])
            for of in classes
        ]
        with Bar(total=len(listed), desc="generating scenes", unit="clip") as bar:
            for job in jobs:
                bar.update(job.result())
    with (partial / _TABLE).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        writer.writerows((name, each.of.label, each.of.part, each.split) for name, each in listed)
    (partial / _STAMP).write_text(f"{stamp}\n", encoding="utf-8")
    partial.replace(root)
    return read(root)


def clips_of(name: str, revision: str) -> tuple[SceneClip, ...]:
    """Clips of a data set by its name and revision, e.g. to count what can be recognised in them.

    Returns:
        The clips; () unless they are scenes of this version with the default numbers of clips.
    """
    vocabulary = {_name(each): each for each in VOCABULARIES}.get(name)
    version, _, rest = revision.partition(".")
    if vocabulary is None or version != str(VERSION) or rest.rpartition(".")[2] != digest(dict(CLIPS))[:8]:
        return ()
    return scene_clips(scene_classes(vocabulary))


def _name(vocabulary: str) -> str:
    return "scenes" if vocabulary == "evaluation" else f"scenes-{vocabulary}"


def _write(root: Path, vocabulary: str, seed: int, clips: list[tuple[str, SceneClip]]) -> int:
    """Write clips, and return how many."""
    from mgcl.data.scenes.composition import compose
    from mgcl.data.scenes.picture import FRAMES_PER_SECOND
    from mgcl.data.soundscapes.sources import SAMPLE_RATE
    from mgcl.video.writing import write_mp4

    for name, clip in clips:
        random = generator("scene", VERSION, vocabulary, seed, clip.of.label, clip.index)
        drawn = compose(clip.of, vocabulary, random, spoil=clip.spoilt)
        rate = Fraction(FRAMES_PER_SECOND)
        write_mp4(root / name, drawn.frames, drawn.waveform, frame_rate=rate, sample_rate=SAMPLE_RATE)
    return len(clips)

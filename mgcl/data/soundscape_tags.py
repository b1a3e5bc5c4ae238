"""Generated clips of one to three sounds each, with all their classes: a set for tagging."""

from pathlib import Path

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.data.soundscapes.sets import Kind, dataset, read_truth, write

KIND = Kind("soundscape_tags", clips=240, sounds=(1, 3))


def read(root: Path) -> Dataset:
    """List the generated clips.

    Raises:
        DataError: the set is missing, or a table is wrong; names the file and line.
    """
    truth = read_truth(root, KIND)
    labels = {path: tuple(sorted({each.label for each in events})) for path, events in truth.items()}
    return dataset(root, KIND, (AudioFile(path.stem, path, labels=each) for path, each in labels.items()))


def generate(root: Path, *, clips: int = KIND.clips, seed: int = 0, workers: int = 1) -> Dataset:
    """Write the clips and their tables. A folder that holds them already is left as it is.

    Args:
        root: folder to make.
        clips: number of clips.
        seed: seed of everything that is drawn.
        workers: number of processes.

    Raises:
        DataError: ``clips`` is less than 1, or the folder holds something else.
    """
    write(root, KIND, clips=clips, seed=seed, workers=workers)
    return read(root)

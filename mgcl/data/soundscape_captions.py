"""Generated clips of two or three sounds each, with five captions of the truth: a set for retrieval."""

from pathlib import Path

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.data.soundscapes.sets import CAPTIONS, Kind, dataset, read_captions, read_truth, write

KIND = Kind("soundscape_captions", clips=200, sounds=(2, 3), captions=CAPTIONS)


def read(root: Path) -> Dataset:
    """List the generated clips.

    Raises:
        DataError: the set is missing, or a table is wrong; names the file and line.
    """
    captions = read_captions(root, KIND, read_truth(root, KIND))
    return dataset(root, KIND, (AudioFile(path.stem, path, captions=each) for path, each in captions.items()))


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

"""Generated clips of two or three sounds each, with five captions of the truth: a set for retrieval."""

from pathlib import Path

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.data.soundscapes.sets import CAPTIONS, Kind, dataset, generator_of, read_captions, read_truth

KIND = Kind("soundscape_captions", clips=200, sounds=(2, 3), captions=CAPTIONS)


def read(root: Path) -> Dataset:
    """List the generated clips.

    Raises:
        DataError: the set is missing, or a table is wrong; names the file and line.
    """
    captions = read_captions(root, KIND, read_truth(root, KIND))
    return dataset(root, KIND, (AudioFile(path.stem, path, captions=each) for path, each in captions.items()))


generate = generator_of(KIND, read)

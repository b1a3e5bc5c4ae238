"""The audio-visual bank that every installation can make: generated scenes, embedded by tiny and motion_grid."""

import hashlib
from importlib.resources import files
from pathlib import Path

from filelock import FileLock

from mgcl.data.scenes.recipes import CLIPS, VERSION, Counts
from mgcl.errors import BankError
from mgcl.extras import missing
from mgcl.features.bank import FeatureBank


def embedded_scenes_bank(home: Path, *, make: bool = True, vocabulary: str = "evaluation") -> FeatureBank:
    """Open the bank, and make it first if it is missing. Its name contains the versions of all that it depends on.

    Args:
        home: folder of the data set (``home/data``) and of the bank (``home/banks``).
        make: whether to make a missing bank.
        vocabulary: "evaluation" (the classes of reports) or "development" (classes to choose settings on).

    Raises:
        BankError: the bank is missing, and ``make`` is False, or PyAV is not installed.
    """
    from mgcl.backbones.visual import motion_grid
    from mgcl.extraction import tokens

    weights = hashlib.sha256(files("mgcl.backbones").joinpath("tiny_weights", "model.safetensors").read_bytes())
    name = f"{'scenes' if vocabulary == 'evaluation' else f'scenes-{vocabulary}'}-{VERSION}"
    made_by = f"tiny-{weights.hexdigest()[:8]}-motion_grid-{motion_grid.VERSION}.{tokens.VERSION}"
    bank = home / "banks" / f"{name}-{made_by}"
    if not bank.is_dir():
        if not make:
            raise BankError(f"{bank}: not there yet; a first run without --plan makes it")
        if lacking := missing("av"):
            raise BankError(f"{bank}: not there yet, and making it needs {lacking}")
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "embedded.lock"):
        if not bank.is_dir():
            make_scenes_bank(home / "data" / name, bank, vocabulary=vocabulary)
    return FeatureBank.open(bank)


def make_scenes_bank(data: Path, bank: Path, *, vocabulary: str = "evaluation", clips: Counts = CLIPS) -> None:
    """Generate scenes, and embed them.

    Args:
        data: folder of the scenes; existing ones are reused.
        bank: folder of the bank; must not exist.
        vocabulary: vocabulary of the scenes.
        clips: part -> number of clips per class for training, validation and test.
    """
    from joblib import cpu_count

    from mgcl.backbones import tiny
    from mgcl.data import scenes
    from mgcl.extraction.extract import extract_videos_by, in_process
    from mgcl.extraction.tokens import Pair, load_visual
    from mgcl.language.word_bag import word_bag

    dataset = scenes.generate(data, vocabulary=vocabulary, clips=clips, workers=cpu_count())
    pair = Pair(tiny.load(str(tiny.SHIPPED)), load_visual("motion_grid", None, "cpu"))
    words = dict(zip(dataset.classes, word_bag(dataset.classes), strict=True))
    extract_videos_by(in_process(pair, decode_workers=2), dataset, pair, bank, words)

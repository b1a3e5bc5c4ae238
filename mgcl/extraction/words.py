"""Word vectors of the classes of an audio-visual bank: a bag of words, a text tower's, or those of a file."""

from collections.abc import Sequence
from pathlib import Path

from mgcl.backbones.backbone import Backbone
from mgcl.catalogue import load, names
from mgcl.errors import BankError
from mgcl.features.columns import Floats
from mgcl.language.word_bag import word_bag

BAG = "bag"
"""Choice of ``word_vectors``: seeded word vectors, which need no file."""


def check_words(given: str) -> None:
    """Refuse, before anything is embedded, a choice of ``word_vectors`` that there is not.

    Raises:
        BankError: it is neither "bag", nor a backbone, nor a file.
    """
    if given != BAG and given not in names("backbone") and not Path(given).is_file():
        raise BankError(
            f"`words` {given}: no such file, and no backbone; give {BAG}, a file, or one of "
            f"{', '.join(names('backbone'))}"
        )


def word_vectors(classes: Sequence[str], given: str = BAG, *, weights: str | None = None) -> dict[str, Floats]:
    """Return class -> word vector, all of one dimension.

    Args:
        classes: names of the classes.
        given: "bag" (``mgcl.language.word_bag``); the name of a backbone, whose text tower embeds the names; or a file
            of word vectors (``mgcl.language.words``).
        weights: weights of that backbone.

    Raises:
        BankError: the choice does not exist, or the file lacks a class.
        BackboneError: the backbone cannot be loaded, or cannot embed a name.
    """
    check_words(given)
    if given == BAG:
        vectors = word_bag(classes)
    elif given in names("backbone"):
        backbone: Backbone = load("backbone", given).load(weights, "cpu")
        vectors = backbone.embed_text([name.replace("_", " ") for name in classes]).numpy()
    else:
        from mgcl.language.words import read_words

        vectors = read_words(Path(given), classes)
    return dict(zip(classes, vectors, strict=True))

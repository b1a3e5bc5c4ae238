"""The header of an index, ``index.json``: the backbone and the windows that all of its embeddings are of."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mgcl.backbones import former_weights
from mgcl.backbones.backbone import Backbone
from mgcl.classifier.embedding import loaded_backbone
from mgcl.errors import ClassifierError, DataError
from mgcl.files import replacing

HEADER = "index.json"
FORMAT = 1
"""Version of the files' format. It is raised whenever an older mgcl would misread the files."""
_SETTINGS = ("backbone", "fingerprint", "window", "hop", "channels")
"""Fields that a command chooses; the others follow from them."""


@dataclass(frozen=True)
class Header:
    """Content of ``index.json``."""

    backbone: str
    """Name of the backbone in the catalogue."""
    weights: str | None
    """Weights that were named when the index was made: a path or an id; None: none were."""
    fingerprint: str
    """Hex digits of a hash of all weights."""
    embedding_dim: int
    """d, length of an embedding."""
    sample_rate: int
    """Sample rate of the backbone's input, in Hz."""
    seconds: float
    """Length of the backbone's input, in seconds."""
    segments: int
    """Number of segments per window."""
    segment_seconds: float
    """Seconds between the centres of consecutive segments."""
    window: float
    """Length of a window in seconds, at most ``seconds``; a shorter window is looped."""
    hop: float
    """Seconds from one window's start to the next, > 0."""
    channels: str
    """How several channels became one: one of ``mgcl.audio.CHANNELS``."""
    format: int = FORMAT

    @property
    def known_weights(self) -> str | None:
        """The weights that were named, or those that came with the mgcl that made the index; None: the backbone's."""
        return self.weights or former_weights(self.backbone, self.fingerprint)

    @classmethod
    def of(
        cls, name: str, weights: str | None, backbone: Backbone, *, window: float, hop: float, channels: str
    ) -> "Header":
        """The header of an index that a loaded backbone of this catalogue name will make."""
        if weights is not None and Path(weights).expanduser().exists():
            weights = str(Path(weights).expanduser().absolute())
        facts = ("fingerprint", "embedding_dim", "sample_rate", "seconds", "segments", "segment_seconds")
        about = {fact: getattr(backbone, fact) for fact in facts}
        return cls(name, weights, **about, window=window, hop=hop, channels=channels)

    def check_same(self, other: "Header", folder: Path) -> None:
        """Check that windows of another header may be added.

        Args:
            other: header of the windows.
            folder: folder of the index, for the message.

        Raises:
            ClassifierError: a setting differs; names it.
        """
        changed = [name for name in _SETTINGS if getattr(self, name) != getattr(other, name)]
        if changed:
            raise ClassifierError(
                f"{folder}: holds windows of another {', '.join(changed)} "
                f"({', '.join(str(getattr(self, name)) for name in changed)}); leave these options out, or name "
                "another `out`"
            )


def read_header(folder: Path) -> Header:
    """Read the header of an index.

    Raises:
        DataError: the folder holds no index, or one of a newer mgcl; names it.
    """
    file = folder / HEADER
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{folder}: no index of recordings; `mgcl index` makes one") from None
    except ValueError:
        raise DataError(f"{file}: not the header of an index; make the index again in another folder") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise DataError(f"{file}: format {found}, where this mgcl reads {FORMAT}; use the mgcl that made it")
    names = [field.name for field in fields(Header)]
    if content.keys() != set(names):
        raise DataError(f"{file}: does not have the keys {', '.join(names)}; make the index again in another folder")
    return Header(**content)


def write_header(folder: Path, header: Header) -> None:
    """Write the header of a new index."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / HEADER) as draft:
        draft.write_text(json.dumps(asdict(header), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def backbone_of(header: Header, folder: Path, *, weights: str | None = None, device: str = "cpu") -> Backbone:
    """Load the backbone that an index was made with.

    Args:
        header: header of the index.
        folder: folder of the index, for messages.
        weights: weights of the backbone, if they have moved since.
        device: a torch device.

    Raises:
        MgclError: the weights cannot be loaded.
        DataError: the weights here are others.
    """
    backbone = loaded_backbone(header.backbone, weights or header.known_weights, device)
    if backbone.fingerprint != header.fingerprint:
        raise DataError(
            f"{folder}: made with the backbone {header.backbone} of fingerprint {header.fingerprint}, and the weights "
            f"here have {backbone.fingerprint}; name those that it was made with (`weights`), or make the index again "
            "in another folder"
        )
    return backbone

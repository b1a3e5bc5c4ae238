"""The protocol of captioners, which write one sentence on what a clip sounds like.

A captioner is one module, whose ``load(model, device)`` returns its ``Captioner``.
"""

from collections.abc import Sequence
from typing import Protocol

from mgcl.data.dataset import AudioFile


class Captioner(Protocol):
    """Model that captions clips. The same batch gives the same captions on one machine."""

    def caption(self, files: Sequence[AudioFile]) -> list[str]:
        """Write one sentence on what each clip sounds like, from its audio alone: never from its label or name.

        Raises:
            DataError: a file cannot be decoded, or its caption is empty; names it.
        """
        ...


class CaptionerModule(Protocol):
    """The protocol of a captioner's module."""

    def load(self, model: str | None = None, device: str = "cpu") -> Captioner:
        """Load a captioner.

        Args:
            model: an id or a path; None: the captioner's default model, if it has one.
            device: a torch device.

        Raises:
            MgclError: the model is missing, or belongs to another captioner.
        """
        ...

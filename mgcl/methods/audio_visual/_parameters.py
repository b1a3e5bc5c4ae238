"""Parameters that recognisers have in common, as records to inherit from; they load without torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from mgcl.methods.audio_visual._sizes import Encoding, Head, Heads
from mgcl.methods.recogniser import Inputs, Training, Words, columns_read


@dataclass(frozen=True)
class Basic:
    """What every recogniser has; the fields of a record's parts are its options."""

    inputs: Inputs = field(default_factory=Inputs)
    training: Training = field(default_factory=Training)

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank."""
        return self.inputs.reads


@dataclass(frozen=True)
class WithHead(Basic):
    """Token encoders, and AV-DIFF's head."""

    encoding: Encoding = field(default_factory=Encoding)
    head: Head = field(default_factory=Head)


@dataclass(frozen=True)
class WithAttention(WithHead):
    """Encoders, attention blocks and head."""

    attending: Heads = field(default_factory=Heads)


@dataclass(frozen=True)
class WithWords(Basic):
    """A recogniser that reads word vectors."""

    words: Words = "own"
    """What clips are aligned with, or features synthesised from."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank; word vectors only if they are a class's own or another's."""
        return columns_read(self.inputs, self.words)

"""The header of a bank, ``bank.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mgcl.errors import BankError
from mgcl.features.schema import FORMAT
from mgcl.records import logit_scale_fault
from mgcl.window import Window


@dataclass(frozen=True)
class Tokens:
    """Positions in time of the tokens of one modality.

    Attributes:
        step: seconds per token.
        gaps: whether a clip may have no tokens.
    """

    step: float
    gaps: bool = False


@dataclass(frozen=True)
class Header:
    """Content of ``bank.json``. A number is 0 if no column of the bank needs it.

    Attributes:
        dataset: name of the data set; it determines the folds and the episodes.
        revision: revision of the data set.
        licence: licence of the data set.
        backbone: name of the backbone.
        embedding_dim: d, dimension of the backbone's joint space.
        logit_scale: multiplier of the contrast, already exponentiated, in ``mgcl.records.LOGIT_SCALES``; 0 for a
            backbone without a text side, whose banks have no vectors of sentences.
        sample_rate: sample rate at which the backbone took the clips, in Hz.
        seconds: length of the window that the segments cover, in seconds.
        segments: number of segments per clip.
        tokens: name of a column of tokens -> their positions in time.
        window: window of the data set's protocol; None: the backbone's own, filled by repetition.
        prompt: template of the classes' prompts that the protocol fixes; empty: it fixes none.
        mean_over_folds: whether the protocol's accuracy is the mean of the folds' accuracies.
        format: format of the files; not part of the content.
    """

    dataset: str
    revision: str
    licence: str
    backbone: str
    embedding_dim: int = 0
    logit_scale: float = 0.0
    sample_rate: int = 0
    seconds: float = 0.0
    segments: int = 0
    tokens: Mapping[str, Tokens] = field(default_factory=dict)
    window: Window | None = None
    prompt: str = ""
    mean_over_folds: bool = False
    format: int = field(default=FORMAT, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``bank.json``. Defaults of later fields leave no trace: older digests stay valid."""
        dataset = {"name": self.dataset, "revision": self.revision, "licence": self.licence}
        audio = {"sample_rate": self.sample_rate, "seconds": self.seconds, "segments": self.segments}
        prompt = {"prompt": self.prompt} if self.prompt else {}
        over_folds = {"mean_over_folds": True} if self.mean_over_folds else {}
        window = {"window": asdict(self.window)} if self.window else {}
        tokens = {"tokens": {name: asdict(each) for name, each in self.tokens.items()}} if self.tokens else {}
        return {
            "format": self.format,
            "dataset": {**dataset, **prompt, **over_folds},
            "backbone": {
                "name": self.backbone,
                "embedding_dim": self.embedding_dim,
                "logit_scale": self.logit_scale,
            },
            "audio": {**audio, **window},
            **tokens,
        }


def parse_header(text: str, file: str) -> Header:
    """Parse the text of ``bank.json``. Unknown keys are ignored.

    Args:
        text: text of the file.
        file: path of the file, for messages.

    Raises:
        BankError: the text is not JSON, has another format, lacks a key, or has a value of the wrong type.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BankError(f"{file}: not JSON ({error}); write the bank again") from None
    try:
        version = content["format"]
        if version not in range(1, FORMAT + 1):
            raise BankError(f"{file}: format {version!r}; this mgcl reads formats 1 to {FORMAT}")
        dataset, backbone, audio = content["dataset"], content["backbone"], content["audio"]
        return Header(
            dataset=_typed(dataset, "name", str),
            revision=_typed(dataset, "revision", str),
            licence=_typed(dataset, "licence", str),
            backbone=_typed(backbone, "name", str),
            embedding_dim=_typed(backbone, "embedding_dim", int),
            logit_scale=float(_typed(backbone, "logit_scale", int, float)),
            sample_rate=_typed(audio, "sample_rate", int),
            seconds=float(_typed(audio, "seconds", int, float)),
            segments=_typed(audio, "segments", int),
            tokens=_tokens(content.get("tokens", {})) if version > 1 else {},
            window=_window(audio.get("window")) if version > 1 else None,
            prompt=_typed({"prompt": "", **dataset}, "prompt", str) if version > 1 else "",
            mean_over_folds=version > 1 and _typed({"mean_over_folds": False, **dataset}, "mean_over_folds", bool),
            format=version,
        )
    except KeyError as error:
        raise BankError(f"{file}: key {error} is missing; write the bank again") from None
    except TypeError as error:
        raise BankError(f"{file}: a value has the wrong type ({error}); write the bank again") from None


def check_header(header: Header, file: str, *, joint: bool, sentences: bool, segments: bool) -> None:
    """Refuse a header with a value out of range.

    Args:
        header: header to check.
        file: path of its file, for messages.
        joint: whether the bank has vectors of the joint space.
        sentences: whether some of these are of sentences.
        segments: whether the bank has segments.

    Raises:
        BankError: a value is out of range; names the file and the value.
    """
    old = header.format == 1  # every bank of FORMAT 1 has joint vectors and segments
    if (old or sentences) and (fault := logit_scale_fault(header.logit_scale)):
        raise BankError(f"{file}: backbone.logit_scale is {fault}")
    positive = {"embedding_dim": joint, "sample_rate": joint, "seconds": segments, "segments": segments}
    for name, needed in positive.items():
        _check_number(file, name, getattr(header, name), positive=old or needed)
    for name, tokens in header.tokens.items():
        _check_number(file, f"tokens.{name}.step", tokens.step, positive=True)
    if header.window and (fault := header.window.fault):
        raise BankError(f"{file}: audio.{fault}")
    if header.prompt and "{}" not in header.prompt:
        raise BankError(f"{file}: dataset.prompt is {header.prompt!r}; a template has {{}} for the class's name")
    if not header.dataset or not header.backbone:
        raise BankError(f"{file}: dataset.name and backbone.name must not be empty")


def _check_number(file: str, name: str, value: float, *, positive: bool) -> None:
    if not 0 <= value < float("inf") or (positive and value == 0):
        raise BankError(f"{file}: {name} is {value}; it must be {'positive' if positive else 'at least 0'}")


def _tokens(section: Any) -> dict[str, Tokens]:
    return {
        name: Tokens(float(_typed(each, "step", int, float)), _typed({"gaps": False, **each}, "gaps", bool))
        for name, each in dict(section).items()
    }


def _window(section: Any) -> Window | None:
    if section is None:
        return None
    seconds = float(_typed(section, "seconds", int, float))
    return Window(seconds, _typed(section, "short", str), _typed(section, "long", str))


def _typed(section: Mapping[str, Any], key: str, *kinds: type) -> Any:
    value = section[key]
    if type(value) not in kinds:
        raise TypeError(f"{key} is {value!r}")
    return value

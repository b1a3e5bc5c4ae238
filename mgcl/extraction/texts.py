"""The sentences of a bank: captions of clips, prompts and explanations of classes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mgcl.audio.excerpt import audible_clip
from mgcl.backbones.backbone import Facts, reads_text
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import BankError, DataError
from mgcl.language.explanations import ClassText, explanations
from mgcl.language.prompt_sets import prompt_of
from mgcl.language.prompts import prompt


@dataclass(frozen=True)
class Texts:
    """All sentences of a bank.

    Attributes:
        classes: label -> prompt and explanations of the class; empty: the bank has no sentences on classes.
        prompt_sets: names of the prompt sets that the classes get sentences of, too.
        captions: clip id -> caption; None: captions are taken from ``choices``, or the bank has no captions.
        choices: candidate captions; every clip gets the nearest one in the joint space.
        several: clip id -> captions of a data set for retrieval; empty: it has none.
    """

    classes: Mapping[str, ClassText]
    prompt_sets: tuple[str, ...] = field(default=(), kw_only=True)
    captions: Mapping[str, str] | None = None
    choices: tuple[str, ...] = ()
    several: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        about: Facts,
        *,
        classes: Mapping[str, ClassText] | None = None,
        captions: Mapping[str, str] | None = None,
    ) -> "Texts":
        """Choose the sentences of a data set's bank.

        Captions are the given ones, else the data set's own, else the nearest of the backbone's; else there are none.
        Clips without a class of their own get no nearest caption: only few-shot methods read it. A backbone without a
        text side embeds no sentence.

        Args:
            dataset: data set of the clips and classes.
            about: facts about the backbone.
            classes: label -> prompt and explanations; None: those that come with mgcl.
            captions: clip id -> caption.

        Raises:
            BankError: a class has no explanations.
            DataError: some clips have captions and others have none.
        """
        if not reads_text(about):
            return cls({})
        chosen = class_texts(dataset, classes)
        if captions is None and any(file.caption for file in dataset.files):
            captions = {file.clip_id: file.caption for file in dataset.files if file.caption}
        if captions is not None:
            _check_complete(captions, dataset.files, about)
        several = {file.clip_id: file.captions for file in dataset.files if file.captions}
        nearest = not captions and all(file.label for file in dataset.files)
        return cls(chosen, captions, about.captions if nearest else (), several)

    @property
    def sentences(self) -> Iterable[str]:
        """All sentences, in a fixed order. Sentences may be repeated."""
        yield from (prompt_of(name, label) for name in self.prompt_sets for label in self.classes)
        for each in self.classes.values():
            yield each.prompt
            yield from each.explanations
        yield from sorted(set((self.captions or {}).values()))
        yield from self.choices
        for captions in self.several.values():
            yield from captions

    def owner(self, sentence: str) -> str:
        """Return the clip or class that a sentence belongs to, in words for a message."""
        for clip_id, caption in (self.captions or {}).items():
            if caption == sentence:
                return f"the caption of clip {clip_id}"
        for clip_id, captions in self.several.items():
            if sentence in captions:
                return f"a caption of clip {clip_id}"
        for label, each in self.classes.items():
            if sentence in (each.prompt, *each.explanations):
                return f"a sentence on class {label}"
            if sentence in (prompt_of(name, label) for name in self.prompt_sets):
                return f"a prompt of class {label}"
        return "a caption that comes with the backbone"

    def with_prompt_sets(self, names: Sequence[str]) -> "Texts":
        """Return the texts with the classes' sentences of some of ``mgcl.language.prompt_sets``."""
        return replace(self, prompt_sets=tuple(names))

    def prompt_columns(self, labels: Sequence[str], vectors: Mapping[str, Any]) -> dict[str, Any]:
        """Columns of the prompt sets, by stored name.

        Args:
            labels: labels of the bank's classes, in its order.
            vectors: sentence -> its embedding.
        """
        columns: dict[str, Any] = {}
        for name in self.prompt_sets:
            sentences = [prompt_of(name, label) for label in labels]
            columns[f"{name}_prompt"] = sentences
            columns[f"{name}_prompt_embedding"] = np.stack([vectors[each] for each in sentences])
        return columns


def class_texts(dataset: Dataset, classes: Mapping[str, ClassText] | None = None) -> dict[str, ClassText]:
    """Return the prompt and explanations of the classes of a data set, by label.

    If the data set's protocol fixes the prompt, it replaces those that come with mgcl.

    Args:
        dataset: data set of the classes.
        classes: label -> prompt and explanations; None: those that come with mgcl.

    Raises:
        BankError: classes have no explanations; names them.
    """
    known = explanations(dataset.name) if classes is None else classes
    missing = [label for label in dataset.classes if label not in known]
    if missing:
        raise BankError(
            f"{dataset.name}: no written explanations of {', '.join(missing)}; `mgcl explain-classes` writes some, "
            "`--explanations FILE` reads them, `--explanations templates` uses the class names alone"
        )
    if classes is not None or not dataset.prompt:
        return {label: known[label] for label in dataset.classes}
    return {label: replace(known[label], prompt=prompt(label, dataset.prompt)) for label in dataset.classes}


def _check_complete(captions: Mapping[str, str], files: Sequence[AudioFile], about: Facts) -> None:
    """Refuse clips without a caption, except clips that cannot be decoded, which a bank leaves out.

    Raises:
        DataError: there is such a clip; names the first.
    """
    missing = [file for file in files if file.clip_id not in captions]
    for file in missing:
        try:
            audible_clip(
                file.path,
                clip_id=file.clip_id,
                sample_rate=about.sample_rate,
                seconds=about.seconds,
                channels=file.channels,
            )
        except DataError:
            continue
        found = f"; there are captions of clips like {next(iter(captions))!r}" if captions else ""
        raise DataError(
            f"{file.clip_id}: no caption, one of {len(missing)} such clips; `mgcl caption` writes them{found}"
        )

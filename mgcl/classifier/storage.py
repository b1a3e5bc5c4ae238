"""A model as a folder of two files: ``model.json`` and ``model.safetensors``. No pickle: opening one runs no code."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from mgcl.classifier.calibration import TurnedAway
from mgcl.classifier.model import Classes, Examples, Model
from mgcl.errors import DataError
from mgcl.language.explanations import ClassText
from mgcl.methods.few_shot import mgcl
from mgcl.methods.few_shot._contrast import Adapters
from mgcl.methods.method import ClipFeatures, Support
from mgcl.records import canonical_json

FORMAT = 2
"""Raised whenever an older mgcl could not read the files rightly."""
FACTS, TENSORS = "model.json", "model.safetensors"


def write(model: Model, about: Mapping[str, Any], folder: Path) -> None:
    """Save a model; one that lies there is written over, and only when the new one is whole.

    Args:
        model: to save.
        about: what its backbone is, and the estimator's own parameters; as json has it.
        folder: made if need be.
    """
    fitted, examples, classes = model.fitted, model.examples, model.classes
    tensors = save(
        {name: value.clone(memory_format=torch.contiguous_format) for name, value in _tensors(model).items()}
    )
    facts = {
        "format": FORMAT,
        "method": {"version": mgcl.VERSION, "parameters": asdict(fitted.parameters)},
        "logit_scale": fitted.support.logit_scale,
        "seed": int(fitted.support.seeds),
        "classes": [
            {"label": label, **asdict(text)} for label, text in zip(classes.labels, classes.texts, strict=True)
        ],
        "clips": [
            {"name": _portable(name), "label": label, "digest": digest, "caption": caption}
            for name, label, digest, caption in zip(
                examples.names,
                examples.labels,
                examples.digests,
                examples.captions or [None] * len(examples.names),
                strict=True,
            )
        ],
        "temperature": model.temperature,
        "threshold": model.threshold,
        "turned_away": model.turned_away and asdict(model.turned_away),
        **about,
        "tensors": hashlib.sha256(tensors).hexdigest(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**facts, "digest": _digest(facts)}, indent=1, ensure_ascii=False)
    for name, content in ((TENSORS, tensors), (FACTS, text.encode())):
        part = folder / f".{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)


def _portable(name: str) -> str:
    """Its folder, which may be its class, and its name: where it lies on this machine concerns nobody else."""
    path = Path(name)
    return str(Path(*path.parts[1:][-2:])) if path.is_absolute() else name


def read(folder: Path) -> tuple[Model, Mapping[str, Any]]:
    """Open what ``write`` wrote, and what it said of the backbone and the estimator.

    Raises:
        DataError: it is no model, was changed, or needs another mgcl; says which.
    """
    facts = _facts(folder)
    content = _bytes(folder / TENSORS)
    if hashlib.sha256(content).hexdigest() != facts["tensors"]:
        raise DataError(f"{folder / TENSORS}: changed since it was saved; copy both files again, or fit again")
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise DataError(f"{folder / TENSORS}: not a model's tensors ({error}); fit again") from None
    return _model(facts, tensors), facts


def _facts(folder: Path) -> dict[str, Any]:
    file = folder / FACTS
    try:
        facts = json.loads(_bytes(file))
        newer, version = facts["format"] > FORMAT, facts["format"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{file}: not a model that `mgcl fit` wrote; fit again") from None
    if newer:
        raise DataError(f"{file}: of format {version}, and this mgcl reads up to {FORMAT}; upgrade mgcl, or fit again")
    if facts.pop("digest", None) != _digest(facts):
        raise DataError(f"{file}: changed since it was saved; copy both files again, or fit again")
    if facts["method"]["version"] != mgcl.VERSION:
        raise DataError(
            f"{file}: fitted by version {facts['method']['version']} of the method, which is {mgcl.VERSION} here; "
            "fit again"
        )
    return dict(facts)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{file}: no such file; a model is a folder that `mgcl fit` wrote") from None


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def _tensors(model: Model) -> dict[str, torch.Tensor]:
    support = model.fitted.support
    optional = {"captions": support.clips.caption, "choices": model.choices}
    return {
        "segments": support.clips.segments,
        "clips": support.clips.clip,
        "labels": support.labels,
        "prompts": support.prompts,
        "explanations": support.explanations,
        "sentences": model.fitted.sentences,
        **model.fitted.adapters._asdict(),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _model(facts: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Model:
    clips, said = facts["clips"], facts["classes"]
    features = ClipFeatures(tensors["segments"], tensors["clips"], tensors.get("captions"))
    support = Support(
        clips=features,
        labels=tensors["labels"],
        prompts=tensors["prompts"],
        explanations=tensors["explanations"],
        logit_scale=facts["logit_scale"],
        seeds=torch.tensor(facts["seed"]),
    )
    captions = tuple(clip["caption"] for clip in clips)
    return Model(
        fitted=mgcl.Fitted(
            support,
            mgcl.Parameters(**facts["method"]["parameters"]),
            Adapters(**{name: tensors[name] for name in Adapters._fields}),
            tensors["sentences"],
        ),
        examples=Examples(
            features,
            tuple(clip["name"] for clip in clips),
            tuple(clip["digest"] for clip in clips),
            None if None in captions else captions,
            tuple(clip["label"] for clip in clips),
        ),
        classes=Classes(
            tuple(each["label"] for each in said),
            tuple(ClassText(each["prompt"], tuple(each["explanations"])) for each in said),
            tensors["prompts"],
            tensors["explanations"],
        ),
        choices=tensors.get("choices"),
        temperature=facts["temperature"],
        threshold=facts["threshold"],
        turned_away=TurnedAway(**estimate) if (estimate := facts.get("turned_away")) else None,
    )

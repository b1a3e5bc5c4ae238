"""Storage of a model: a folder with ``model.json`` and ``model.safetensors``. Without pickle, opening runs no code."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from mgcl.classifier.background import Background
from mgcl.classifier.calibration import TurnedAway
from mgcl.classifier.learner import Learner
from mgcl.classifier.model import Classes, Examples, Model
from mgcl.classifier.several import Several
from mgcl.errors import DataError
from mgcl.files import replacing
from mgcl.language.explanations import ClassText
from mgcl.methods.method import ClipFeatures, Support
from mgcl.parameters import flat
from mgcl.records import digest

FORMAT = 5
"""Version of the files' format. It is raised whenever an older mgcl would misread the files."""
_PLAIN = 4
"""Format of a model of one label per clip and without a background, which older mgcl reads."""
FACTS, TENSORS = "model.json", "model.safetensors"
_BACKGROUND = "background_"
"""Prefix of the names of the background's tensors."""
_RENAMED = {"none_label": "reject_label"}
"""Former name -> present name of the estimator's parameters that earlier formats hold."""


def write(model: Model, about: Mapping[str, Any], folder: Path) -> None:
    """Save a model. An existing model is replaced, each file only when the new one is complete.

    Args:
        model: the model to save.
        about: fingerprint of the backbone and the estimator's own parameters, as json values.
        folder: folder to write to; made if missing.
    """
    learner, support, examples, classes = model.learner, model.support, model.examples, model.classes
    tensors = save(
        {name: value.clone(memory_format=torch.contiguous_format) for name, value in _tensors(model).items()}
    )
    facts = {
        "format": _PLAIN if model.several is None and model.background is None else FORMAT,
        "method": {"name": learner.name, "version": learner.version, "parameters": flat(learner.parameters)},
        "logit_scale": support.logit_scale,
        "seed": int(support.seeds),
        "classes": [
            {"label": label, **asdict(text)} for label, text in zip(classes.labels, classes.texts, strict=True)
        ],
        "clips": _listed(examples),
        "temperature": model.temperature,
        "threshold": model.threshold,
        "turned_away": model.turned_away and asdict(model.turned_away),
        **({} if model.several is None else {"several": asdict(model.several)}),
        **_of_background(model),
        **about,
        "tensors": hashlib.sha256(tensors).hexdigest(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**facts, "digest": digest(facts)}, indent=1, ensure_ascii=False)
    with replacing(folder / FACTS) as facts_draft, replacing(folder / TENSORS) as tensors_draft:
        tensors_draft.write_bytes(tensors)  # both are complete before either replaces a file, as on a full disk
        facts_draft.write_bytes(text.encode())


def _listed(examples: Examples) -> list[dict[str, Any]]:
    captions = examples.captions or [None] * len(examples.names)
    rows = zip(examples.names, examples.labels, examples.digests, captions, strict=True)
    return [
        {"name": _portable(name), "label": label, "digest": sound, "caption": caption}
        for name, label, sound, caption in rows
    ]


def _of_background(model: Model) -> dict[str, Any]:
    if model.background is None or model.heard is None:
        return {}
    return {"background": _listed(model.background), "heard": asdict(model.heard)}


def _portable(name: str) -> str:
    """Path of a clip for the stored model; of an absolute path only the last folder and the file name.

    The last folder may be the clip's class. The rest is dropped, since it describes the user's machine.
    """
    path = Path(name)
    return str(Path(*path.parts[1:][-2:])) if path.is_absolute() else name


def portable_weights(weights: str, folder: Path) -> str:
    """Weights as a model stores them: a path becomes relative to the model's folder; the id of a hub stays."""
    return os.path.relpath(Path(weights).resolve(), folder.resolve()) if Path(weights).exists() else weights


def found_weights(weights: str, folder: Path) -> str:
    """Inverse of ``portable_weights``: the path beside the model's folder if it exists, else the id of a hub."""
    beside = folder.resolve() / weights
    return str(beside.resolve()) if beside.exists() else weights


def read(folder: Path) -> tuple[Model, Mapping[str, Any]]:
    """Load a model that ``write`` wrote.

    Returns:
        The model, and the content of ``model.json``: "fingerprint" of the backbone, "estimator" parameters, and more.

    Raises:
        DataError: the folder holds no model, the model was changed, or it needs another mgcl; names the cause.
    """
    facts = _facts(folder)
    content = _bytes(folder / TENSORS)
    if hashlib.sha256(content).hexdigest() != facts["tensors"]:
        raise DataError(f"{folder / TENSORS}: changed since it was saved; copy both files again, or fit again")
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise DataError(f"{folder / TENSORS}: not a model's tensors ({error}); fit again") from None
    facts["estimator"] = {_RENAMED.get(name, name): value for name, value in facts["estimator"].items()}
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
    if facts.pop("digest", None) != digest(facts):
        raise DataError(f"{file}: changed since it was saved; copy both files again, or fit again")
    method = facts["method"]
    if method["version"] != (version := _learner(facts).version):
        raise DataError(
            f"{file}: fitted by version {method['version']} of the method, which is {version} here; fit again"
        )
    return dict(facts)


def _learner(facts: Mapping[str, Any]) -> Learner:
    method = facts["method"]
    return Learner.named(method.get("name", "mgcl"), method["parameters"])  # before format 3 there was one method


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{file}: no such file; a model is a folder that `mgcl fit` wrote") from None


def _tensors(model: Model) -> dict[str, torch.Tensor]:
    support = model.support
    optional = {"captions": support.clips.caption, "choices": model.choices}
    if model.background is not None:
        optional |= {f"{_BACKGROUND}{name}": value for name, value in _features(model.background.clips).items()}
    return {
        "segments": support.clips.segments,
        "clips": support.clips.clip,
        "labels": support.labels,
        "prompts": support.prompts,
        "explanations": support.explanations,
        **model.scorer.state(model.fitted),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _model(facts: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Model:
    classes, learner = facts["classes"], _learner(facts)
    examples, several = _examples(facts["clips"], tensors), None
    if there := facts.get("several"):
        several = Several(tuple(there["offsets"]), tuple(there["thresholds"]), there["precision"], there["f1"])
    background = _examples(facts["background"], tensors, _BACKGROUND) if "background" in facts else None
    support = Support(
        clips=examples.clips if several is None else examples.counted,
        labels=tensors["labels"],
        prompts=tensors["prompts"],
        explanations=tensors["explanations"],
        logit_scale=facts["logit_scale"],
        seeds=torch.tensor(facts["seed"]),
    )
    model = Model(
        learner=learner,
        fitted=None,
        support=support,
        examples=examples,
        classes=Classes(
            tuple(each["label"] for each in classes),
            tuple(ClassText(each["prompt"], tuple(each["explanations"])) for each in classes),
            tensors["prompts"],
            tensors["explanations"],
        ),
        choices=tensors.get("choices"),
        temperature=facts["temperature"],
        threshold=facts["threshold"],
        turned_away=TurnedAway(**estimate) if (estimate := facts.get("turned_away")) else None,
        several=several,
        background=background,
        heard=Background(**facts["heard"]) if "heard" in facts else None,
    )
    return replace(model, fitted=model.scorer.restored(support, tensors))


def _features(clips: ClipFeatures) -> dict[str, torch.Tensor | None]:
    return {"segments": clips.segments, "clips": clips.clip, "captions": clips.caption}


def _examples(clips: Sequence[Mapping[str, Any]], tensors: Mapping[str, torch.Tensor], prefix: str = "") -> Examples:
    segments, vectors = (tensors[f"{prefix}{name}"] for name in ("segments", "clips"))
    captions = tuple(clip["caption"] for clip in clips)
    return Examples(
        ClipFeatures(segments, vectors, tensors.get(f"{prefix}captions")),
        tuple(clip["name"] for clip in clips),
        tuple(clip["digest"] for clip in clips),
        None if None in captions else captions,
        tuple(clip["label"] for clip in clips),
    )

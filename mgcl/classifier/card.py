"""What a saved model says about itself: its facts in lines, and a model card in markdown."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from mgcl.catalogue import load
from mgcl.classifier.calibration import FOLDS, cross_fitted
from mgcl.classifier.model import Model
from mgcl.classifier.one_vs_rest import PARTS
from mgcl.classifier.scores import scores
from mgcl.classifier.several import Several
from mgcl.parameters import flat

_PROBABILITIES = {
    False: "Probabilities are softmax(logits / temperature) and assume that a clip belongs to one of the classes.",
    True: "A class's probability is sigmoid((logit - offset) / temperature), whatever the others' are.",
}
_SHOWN = 3
"""Number of sentences per class in a card."""


def facts(model: Model, about: Mapping[str, Any]) -> dict[str, str]:
    """Name -> fact of a model, for a person.

    Args:
        model: as ``mgcl.classifier.storage.read`` returns it.
        about: content of ``model.json``, likewise.
    """
    own, learner = about["estimator"], model.learner
    counts = Counter(model.examples.labels)
    away = model.turned_away
    rejection = "no clip is turned away"
    if model.several is not None:
        pairs = zip(model.classes.labels, model.several.thresholds, strict=True)
        rejection = f"a clip has every class whose threshold it reaches: {', '.join(f'{a} {b:.2f}' for a, b in pairs)}"
    if model.threshold is not None:
        shares = (
            f": {100 * away.known:.0f} % of the classes' clips, {100 * away.foreign:.0f} % of others" if away else ""
        )
        rejection = f'clips like none of the classes are "{own["reject_label"]}"{shares} (estimated at the fit)'
    return {
        "classes": ", ".join(f"{label} ({counts[label]} clips)" for label in model.classes.labels),
        "backbone": f"{own['backbone']} of fingerprint {about['fingerprint']}"
        + (f", weights {own['weights']}" if own["weights"] else ""),
        "licence of the backbone": licence(own["backbone"]),
        "method": f"{learner.name}, version {learner.version}",
        "parameters": ", ".join(f"{name}={value}" for name, value in flat(learner.parameters).items()) or "none",
        "captions": "clips need captions" if model.own_captions else "clips need none",
        "channels": own.get("channels", "average"),
        "longer clips": "one window is taken" if own.get("one_window", True) else "the whole clip is taken",
        "temperature": f"{model.temperature:.4g}",
        "rejection": rejection,
        **({} if model.heard is None else {"background, left out in turn": str(model.heard)}),
    }


def licence(backbone: str) -> str:
    """Licences of a backbone's published weights."""
    published = getattr(load("backbone", backbone), "PUBLISHED", ())
    if not published:
        return "MIT, as mgcl, with which it comes" if backbone == "tiny" else "see its publisher"
    return "; ".join(f"{each.name}: {each.licence}" for each in published)


def card(model: Model, about: Mapping[str, Any], name: str) -> str:
    """Model card in markdown: classes, data, figures, calibration, origin.

    Args:
        model: see ``facts``.
        about: see ``facts``.
        name: name of the model.
    """
    found = facts(model, about)
    counts = Counter(model.examples.labels)
    classes = pd.DataFrame(
        [
            [_cell(str(label)), counts[label], _cell("; ".join(text.explanations[:_SHOWN]))]
            for label, text in zip(model.classes.labels, model.classes.texts, strict=True)
        ],
        columns=["class", "clips", f"described as (the first {_SHOWN} sentences)"],
    )
    if not model.support.described:
        classes = classes.iloc[:, :2]
    rows = "\n".join(f"- **{key}:** {value}" for key, value in found.items() if key != "classes")
    return (
        f"# {name}\n\n"
        f"Recognises {len(model.classes.labels)} classes of sounds; fitted by mgcl on "
        f"{len(set(model.examples.digests))} clips.\n\n"
        f"## Classes\n\n{classes.to_markdown(index=False)}\n\n"
        f"## Figures\n\n{_figures(model)}\n\n"
        f"## How it works\n\n{rows}\n\n"
        "## Limits\n\n"
        f"{_PROBABILITIES[model.several is not None]} The "
        "figures above are of the clips that the model was fitted on, left out in turn. Of other recordings and "
        "microphones they say nothing: measure them with `mgcl evaluate`.\n"
    )


def _figures(model: Model) -> str:
    if model.several is not None:
        return _figures_of_several(model.several)
    support = model.support
    if min(support.counts) < (least := 1 + model.learner.least_shots):
        return f"A class has fewer than {least} clips: none can be left out, so there are no figures."
    true = support.labels.numpy()
    logits = cross_fitted(support, model.learner, seed=int(support.seeds)).numpy()
    right = int((logits.argmax(1) == true).sum())
    interval = binomtest(right, len(true)).proportion_ci(method="wilson")
    found = scores(model.probabilities(logits), true)
    return (
        f"Of its own clips, left out in {min(FOLDS, *support.counts)} parts and scored by a fit on the rest, "
        f"{right} of {len(true)} are recognised: accuracy {100 * right / len(true):.1f} % (95 %: "
        f"{100 * interval.low:.1f} to {100 * interval.high:.1f}). Probabilities: log-loss {found.log_loss:.3f}, Brier "
        f"{found.brier:.3f}, calibration error {found.calibration_error:.3f}; the temperature was learnt on the same "
        "clips, so these are optimistic."
    )


def _figures_of_several(several: Several) -> str:
    if several.precision is None or several.f1 is None:
        return "No class has two clips: none can be left out, so there are no figures."
    return (
        f"Of its own clips, left out in at most {PARTS} parts and scored by fits on the rest: mAP "
        f"{100 * several.precision:.1f} %, micro F1 {100 * several.f1:.1f} %; the thresholds were learnt on the same "
        "clips, so F1 is optimistic."
    )


def _cell(text: str) -> str:
    """Escape vertical bars, which would end the cell of a table."""
    return text.replace("|", "\\|")

"""What the paper leaves open, and what the runs of a report took."""

from collections.abc import Iterable, Sequence

import pandas as pd

from mgcl.records import TrialRun

_REFERENCE = "full"
_OF_A_SETTING = {
    "folds": "class subsets that episodes are drawn from, and the classes in each",
    "split": "clip: query and support clips may share a recording; source: they may not",
    "queries": "query clips a class",
    "episodes": "a fold and seed",
}
_OF_THE_METHOD = {
    "coarse": "a clip's coarse representation: the backbone's embedding (clip), or its segments' mean (the paper's)",
    "logit_scale": "multiplies the contrast before Eq. 21; None: the bank's",
    "epsilon": "temperature of the transport's kernel (Eq. 8)",
    "tolerance": "relative marginal error at which a transport problem is solved",
    "max_iterations": "of the transport; None: 100 at ε ≥ 0.1, 2,000 below",
    "entropy_weight": "of the plan in the similarity (λ of Eq. 5); 0: Eq. 9 as printed",
    "gradient": "through the transport plan: it is a constant (detached), or exact",
    "leave_one_out": "whether a training clip does not see its own key in the cache",
    "mean_over_shots": "whether the cache is divided by K",
    "late_weighting_scale": "inverse temperature of the late weighting (Eq. 14)",
    "initialisation": "of the adapters",
    "explanation_draw": "which explanations, where not all are used",
    "fusion": "what is fused and contrasted; audio: without captions",
}


def markdown(runs: Sequence[TrialRun]) -> str:
    """A line a choice with the values that ``full`` had, in GitHub's markdown; then versions and seeds."""
    full = [run for run in runs if _REFERENCE in run.variants]
    rows = [(name, what, _every(getattr(run.setting, name) for run in runs)) for name, what in _OF_A_SETTING.items()]
    rows += [
        (name, what, _every(run.parameters[name] for run in full if name in run.parameters))
        for name, what in _OF_THE_METHOD.items()
    ]
    frame = pd.DataFrame([row for row in rows if row[2]], columns=["choice", "what it is", "taken"])
    words = [
        f"Values of the row {_REFERENCE}; the others differ in what they are named after." if full else "",
        f"Seeds: {_every(run.seed for run in runs)}. "
        f"Versions of the methods: {_every(f'{run.method} {run.version}' for run in runs)}. "
        f"Banks: {_every(map(_bank, runs))}. Commits: {_every(run.commit for run in runs) or 'not known'}.",
    ]
    return "\n\n".join([frame.to_markdown(index=False, disable_numparse=True), *filter(None, words)])


def _bank(run: TrialRun) -> str:
    data = " ".join(filter(None, (run.setting.dataset, run.revision)))
    return f"{run.setting.bank} ({data}, {run.setting.backbone})"


def _every(values: Iterable[object]) -> str:
    return ", ".join(map(str, sorted({*values} - {""}, key=str)))

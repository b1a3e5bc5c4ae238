"""What each part of MGA-CLAP's objective is worth to the tiny model, at the full number of steps; hours on two cores.

python sweeps/pretraining.py

It may be stopped: the same command goes on from the newest checkpoint. Models and banks stay in $MGCL_HOME/parts.
"""

from dataclasses import replace
from typing import Any

from mgcl.pretraining.training import Plan
from mgcl.sweep import Sweep
from mgcl.sweep.parts import PartsStudy, main
from mgcl.tasks import detection, few_shot, retrieval

FIRST: dict[str, Any] = {"standardised": False, "score_temperature": 30.0}
"""What the first tiny model was trained with; its codebook did not learn (reports/LOG.md)."""
PLAIN = Plan(codebook=False, local=False, mlp=True, hardness=0.0, regularisation=0.0, soft_targets=False)
MGA = replace(PLAIN, codebook=True, local=True, hardness=Plan.hardness)

STUDY = PartsStudy(
    name="pretraining",
    rows={
        "plain contrastive": replace(PLAIN, **FIRST),
        "+ standardised": PLAIN,
        "+ codebook": replace(PLAIN, codebook=True),
        "+ locality": replace(PLAIN, codebook=True, local=True),
        "+ hard negatives": MGA,
        "+ published block": replace(MGA, mlp=False),
        "whole objective": Plan(),  # + regularisation and soft targets
        "as first shipped": replace(MGA, **FIRST),
        "locality without codebook": replace(PLAIN, local=True),
    },
    seeds=(0, 1, 2),
    share=1.0,
    sweeps=(
        Sweep(
            name="classification",
            draws=few_shot.Draws(ways=(5,), shots=(1, 5), episodes=100, queries=15),
            variants=("zero-shot", "full", "prototypical"),
        ),
        Sweep(name="detection", draws=detection.Draws(), variants=("zero-shot",), reference="zero-shot", baselines=()),
        Sweep(name="retrieval", draws=retrieval.Draws(), variants=("cosine",), reference="cosine", baselines=()),
    ),
)

if __name__ == "__main__":
    main(STUDY)

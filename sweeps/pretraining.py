"""What each part of MGA-CLAP's objective is worth to the tiny model, at the full number of steps; hours on two cores.

python sweeps/pretraining.py

It may be stopped: the same command goes on from the newest checkpoint. Models and banks stay in $MGCL_HOME/parts.
The rows go from the plain contrast to the whole objective. Each changes one thing of the row above; "+ published block"
replaces the MLP of the last block, and the whole objective adds both regularisation and soft targets. The last row
divides the scores of codewords by 300, where the others with a codebook have 1,000.
"""

from dataclasses import replace
from typing import Any

from mgcl.pretraining.training import Plan
from mgcl.sweep import Sweep
from mgcl.sweep.parts import PartsStudy, Training, main
from mgcl.tasks import detection, few_shot, retrieval

FIRST: dict[str, Any] = {"standardised": False, "score_temperature": 30.0}
"""What the first tiny model was trained with; its codebook did not learn (reports/LOG.md)."""
PLAIN = Plan(codebook=False, local=False, mlp=True, hardness=0.0, regularisation=0.0, soft_targets=False)
MGA = replace(PLAIN, codebook=True, local=True, hardness=Plan.hardness)

STUDY = PartsStudy(
    name="pretraining",
    rows={
        "plain contrastive": Training(replace(PLAIN, **FIRST), seeds=range(6)),
        "+ standardised": Training(PLAIN),
        "+ codebook": Training(replace(PLAIN, codebook=True)),
        "+ locality": Training(replace(PLAIN, codebook=True, local=True)),
        "+ hard negatives": Training(MGA),
        "+ published block": Training(replace(MGA, mlp=False)),
        "whole objective": Training(Plan(), seeds=range(6)),
        "T = 300": Training(replace(Plan(), score_temperature=300.0), seeds=range(5)),
    },
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

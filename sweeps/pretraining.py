"""What each part of MGA-CLAP's objective is worth to the tiny model, at the full number of steps; hours on two cores.

python sweeps/pretraining.py

It may be stopped: the same command goes on from the newest checkpoint. Models and banks stay in $MGCL_HOME/parts.
"""

from mgcl.pretraining.training import Plan
from mgcl.sweep import Sweep
from mgcl.sweep.parts import PartsStudy, main
from mgcl.tasks import detection, few_shot, retrieval

FIRST = {"standardised": False, "score_temperature": 30.0}
"""What the first tiny model was trained with; its codebook did not learn (docs/demo-model.md)."""

STUDY = PartsStudy(
    name="pretraining",
    rows={
        "plain contrastive": Plan(codebook=False, local=False, hardness=0.0, **FIRST),
        "+ standardised": Plan(codebook=False, local=False, hardness=0.0),
        "+ codebook": Plan(local=False, hardness=0.0),
        "+ locality": Plan(hardness=0.0),
        "+ hard negatives": Plan(),
        "as first shipped": Plan(**FIRST),
        "locality without codebook": Plan(codebook=False, hardness=0.0),
        "+ published block": Plan(mlp=False),
        "+ regularisation, soft targets": Plan(mlp=False, regularisation=1.0, soft_targets=True),
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

"""What each part of MGA-CLAP's objective is worth to the tiny model, at the full number of steps; hours on two cores.

python sweeps/pretraining_full.py

It may be stopped: the same command goes on from the newest checkpoint. Models and banks stay in $MGCL_HOME/parts.
"""

from mgcl.pretraining.training import Plan
from mgcl.sweep import Sweep
from mgcl.sweep.parts import PartsStudy, main
from mgcl.tasks import few_shot

STUDY = PartsStudy(
    name="pretraining_full",
    rows={
        "plain contrastive": Plan(codebook=False, local=False, hardness=0.0),
        "+ codebook": Plan(local=False, hardness=0.0),
        "+ locality": Plan(hardness=0.0),
        "+ hard negatives": Plan(),
        "+ published block": Plan(mlp=False),
        "+ regularisation, soft targets": Plan(mlp=False, regularisation=1.0, soft_targets=True),
        "codebook at 30 times the rate": Plan(codebook_rate=30.0),
        "codebook from data": Plan(codebook_from_data=True),
        "both": Plan(codebook_rate=30.0, codebook_from_data=True),
        "locality without codebook": Plan(codebook=False, hardness=0.0),
    },
    seeds=(0, 1, 2),
    share=1.0,
    sweep=Sweep(
        name="pretraining_full",
        draws=few_shot.Draws(ways=(5,), shots=(1, 5), episodes=100, queries=15),
        variants=("zero-shot", "full", "prototypical"),
    ),
)

if __name__ == "__main__":
    main(STUDY)

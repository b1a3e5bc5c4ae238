"""What each part of the tiny model's objective is worth; fifty minutes on one thread. It may be stopped.

python sweeps/pretraining.py
"""

from mgcl.pretraining.training import Plan
from mgcl.sweep import Sweep
from mgcl.sweep.parts import PartsStudy, main
from mgcl.tasks import few_shot

STUDY = PartsStudy(
    name="pretraining",
    rows={
        "plain contrastive": Plan(codebook=False, local=False, hardness=0.0),
        "+ codebook": Plan(local=False, hardness=0.0),
        "+ locality": Plan(hardness=0.0),
        "+ hard negatives": Plan(),
    },
    seeds=(0, 1, 2),
    share=1 / 6,
    sweeps=(
        Sweep(
            name="classification",
            draws=few_shot.Draws(ways=(5,), shots=(1, 5), episodes=100, queries=15),
            variants=("zero-shot", "full", "prototypical"),
        ),
    ),
)

if __name__ == "__main__":
    main(STUDY)

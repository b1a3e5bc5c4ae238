"""AV-DIFF Table 3: which tokens attend to which.

python sweeps/attention.py [--bank DIR] [--shots 5] [--seed 0 1 2] [--draws 3] [--plan]
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import generalised

SWEEP = Sweep(
    name="attention",
    draws=generalised.Draws(shots=(5,)),
    variants=("av-diff", "full-attention", "cross-attention", "self-attention", "alternate-attention"),
    reference="av-diff",
    baselines=("full-attention",),
)

if __name__ == "__main__":
    main(SWEEP)

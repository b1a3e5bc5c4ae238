"""AV-DIFF Table 6: what the diffusion is conditioned on; ours: words of other classes, and label codes.

python sweeps/conditioning.py [--bank DIR] [--shots 5] [--seed 0 1 2] [--draws 3] [--plan]
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import generalised

SWEEP = Sweep(
    name="conditioning",
    draws=generalised.Draws(shots=(5,)),
    variants=("av-diff", "av-prototypes", "permuted-words", "label-codes"),
    reference="av-diff",
    baselines=("label-codes",),
)

if __name__ == "__main__":
    main(SWEEP)

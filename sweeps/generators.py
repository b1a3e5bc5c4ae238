"""AV-DIFF Table 4: what synthesises features of novel classes; and our rows on what that is worth.

python sweeps/generators.py [--bank DIR] [--shots 5] [--seed 0 1 2] [--draws 3] [--plan]
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import generalised

SWEEP = Sweep(
    name="generators",
    draws=generalised.Draws(shots=(5,)),
    variants=("av-diff", "av-gan", "without-generator", "detached-sampling", "published-quirks"),
    reference="av-diff",
    baselines=("without-generator",),
)

if __name__ == "__main__":
    main(SWEEP)

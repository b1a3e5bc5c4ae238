"""MGCL Table 5: what the multi-grained contrast is worth.

python sweeps/contrast.py [--bank DIR] [--plan]
python sweeps/contrast.py --bank DIR --protocol mgcl --queries 50    # as the paper, on a bank of FSDKaggle2018
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import few_shot

SWEEP = Sweep(
    name="contrast",
    draws=few_shot.Draws(ways=(5, 12), shots=(1, 10), episodes=100, queries=30),
    variants=("full", "without-coarse-contrast", "without-fine-contrast", "without-contrast"),
)

if __name__ == "__main__":
    main(SWEEP)

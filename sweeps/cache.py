"""MGCL Table 4: what the multi-grained cache is worth.

python sweeps/cache.py [--bank DIR] [--plan]
python sweeps/cache.py --bank DIR --protocol mgcl --queries 50    # as the paper, on a bank of FSDKaggle2018
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import few_shot

SWEEP = Sweep(
    name="cache",
    draws=few_shot.Draws(ways=(5, 12), shots=(1, 10), episodes=100, queries=30),
    variants=("full", "without-coarse-cache", "without-fine-cache", "without-cache"),
)

if __name__ == "__main__":
    main(SWEEP)

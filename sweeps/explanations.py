"""MGCL Table 3: what a class is described by.

python sweeps/explanations.py [--bank DIR] [--plan]
python sweeps/explanations.py --bank DIR --protocol mgcl --queries 50    # as the paper, on a bank of FSDKaggle2018
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import few_shot

SWEEP = Sweep(
    name="explanations",
    draws=few_shot.Draws(ways=(5, 12), shots=(1, 10), episodes=100, queries=30),
    variants=("full", "category-name", "explanations-2", "explanations-4", "explanations-6", "explanations-8"),
)

if __name__ == "__main__":
    main(SWEEP)

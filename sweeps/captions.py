"""MGCL Table 2: what is fused and contrasted.

python sweeps/captions.py [--bank DIR] [--plan]
python sweeps/captions.py --bank DIR --protocol mgcl --queries 50    # as the paper, on a bank of FSDKaggle2018
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import few_shot

SWEEP = Sweep(
    name="captions",
    draws=few_shot.Draws(ways=(5, 12), shots=(1, 10), episodes=100, queries=30),
    variants=("full", "caption-only", "audio-only"),
)

if __name__ == "__main__":
    main(SWEEP)

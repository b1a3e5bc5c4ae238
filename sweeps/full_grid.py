"""Everything MGCL's tables compare, and later methods, on one feature bank (Table 1 and the ablations of Tables 2-5).

python sweeps/full_grid.py [--bank DIR] [--ways 5 10] [--shots 1 5 10] [--variants NAME ...] [--episodes 100] [--plan]
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import few_shot

SWEEP = Sweep(
    name="full_grid",
    draws=few_shot.Draws(ways=(5, 10), shots=(1, 5), episodes=20, queries=15),
    variants=(
        "mel-statistics",
        "prototypical",
        "matching",
        "zero-shot",
        "tip-adapter",
        "tip-adapter-f",
        "treff-adapter-training-free",
        "treff-adapter",
        "full",
        "knn",
        "ridge",
        "logistic-regression",
        "cross-modal-probe",
        "gda",
        "lp++",
        "proker",
        "multi-grained-kernel",
        "caption-only",
        "audio-only",
        "category-name",
        "explanations-2",
        "explanations-4",
        "explanations-6",
        "explanations-8",
        "without-coarse-cache",
        "without-fine-cache",
        "without-cache",
        "without-coarse-contrast",
        "without-fine-contrast",
        "without-contrast",
        "without-transport",
        "best-match",
        "mean-weighting",
        "leave-one-out",
        "without-training",
    ),
)

if __name__ == "__main__":
    main(SWEEP)

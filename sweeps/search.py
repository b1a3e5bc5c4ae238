"""Search of a row's parameters on what is not tested: `--task few_shot` (the default) or `--task generalised`.

python sweeps/search.py [--bank DIR] [--variant full] [--ways 5] [--shots 5] [--points 60|+60] [--shared] [--per-shot]
python sweeps/search.py --task generalised [--bank DIR] [--variant av-diff] [--shots 5] [--points 12] [--per-shot]
"""

from mgcl.search import Search, main
from mgcl.search.space import Range
from mgcl.tasks import few_shot, generalised

SEARCH = Search(
    name="search", draws=few_shot.Draws(ways=(5,), shots=(5,), queries=15, episodes=10), batches=5, points=60
)
GENERALISED = Search(
    name="generalised_search",
    draws=generalised.Draws(shots=(5,), draws=3),
    variant="av-diff",
    batches=2,
    points=12,
    space={
        "learning_rate": Range(2e-4, 2e-2, log=True),
        "encoder_dropout": Range(0, 0.5),
        "transformer_dropout": Range(0, 0.5),
        "head_dropout": Range(0, 0.5),
        "depth": Range(2, 5, whole=True),
        "diffusion_steps": Range(10, 200, log=True, whole=True),
        "scale": Range(1, 100, log=True),
    },
    more={},
    sweep="audio_visual",
)
"""Each row is searched for those of these parameters that it has."""

if __name__ == "__main__":
    main(SEARCH, GENERALISED)

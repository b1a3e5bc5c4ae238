"""Search of alpha, beta, epsilon, the entropy weight and the late weighting, on classes that no test episode holds.

python sweeps/search.py [--bank DIR] [--variant full] [--ways 5] [--shots 5] [--points 60|+60] [--shared] [--per-shot]
"""

from mgcl.search import Search, main
from mgcl.tasks import few_shot

SEARCH = Search(
    name="search", draws=few_shot.Draws(ways=(5,), shots=(5,), queries=15, episodes=10), batches=5, points=60
)

if __name__ == "__main__":
    main(SEARCH)

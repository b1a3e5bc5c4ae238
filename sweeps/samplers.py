"""TPE against random search, by replay and for real, on one bank.

python sweeps/samplers.py [--bank DIR] [--design 400] [--points 60] [--seeds 10]
"""

from mgcl.search.comparison import main
from mgcl.search.questions import Search
from mgcl.tasks import few_shot

SEARCH = Search(
    name="samplers", draws=few_shot.Draws(ways=(5,), shots=(5,), queries=15, episodes=10), batches=1, points=60
)

if __name__ == "__main__":
    main(SEARCH)

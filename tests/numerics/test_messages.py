"""What a user reads whose arguments do not go together: without the tests' own checks, which would come first."""

import re

import pytest
import torch

from mgcl.transport.cost import inner
from mgcl.transport.similarity import similarity
from mgcl.transport.sinkhorn import sinkhorn

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
x, p = torch.ones(5, 4, 3), torch.full((4,), 0.25)
CASES = [
    (lambda: sinkhorn(x, epsilon=1, max_iterations=2.5), "max_iterations must be a whole number, at least 1, got 2.5"),
    (lambda: sinkhorn(x, epsilon=1, gradient="exakt"), "gradient must be one of 'detached', 'exact', got 'exakt'"),
    (
        lambda: inner(x[0], x[0, :, :2]),
        "rows of one length, dtype and stack are needed, got (4, 3) torch.float32 and (4, 2)",
    ),
    (lambda: inner(x[0], x[0].double()), "got (4, 3) torch.float32 and (4, 3) torch.float64"),
    (lambda: inner(x, x[:2]), "got (5, 4, 3) torch.float32 and (2, 4, 3) torch.float32"),
    (lambda: similarity(x, x[..., :2]), "rows of one length, dtype and stack are needed"),
    (lambda: similarity(x[0], x[0]), "segments of clips are needed, (clips, n, d), got (4, 3) and (4, 3)"),
    (lambda: sinkhorn(x, epsilon=1, marginals=(p, p)), "the column marginal's shape (4,) does not fit (5, 3), or (3,)"),
    (
        lambda: sinkhorn(x[0], epsilon=1, marginals=(p.expand(2, 4), p)),
        "the row marginal's shape (2, 4) does not fit (4,)",
    ),
]


@pytest.mark.parametrize(("call", "words"), CASES)
def test_it_names_the_values(call, words) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        call()

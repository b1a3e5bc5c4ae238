"""The first that end, if they all fail alike."""

import pytest

from mgcl.sweep.alike import FIRST, CommonCause


def test_the_first_that_all_fail_alike_are_found_once() -> None:
    watch = CommonCause()
    assert [watch.found("nan") for _ in range(FIRST + 2)] == [False] * (FIRST - 1) + [True, False, False]


@pytest.mark.parametrize("other", [None, "another"])
def test_a_success_or_another_cause_ends_the_watch(other) -> None:
    watch = CommonCause()
    watch.found("nan")
    watch.found(other)
    assert not any(watch.found("nan") for _ in range(2 * FIRST))

"""What a sweep would cost: read from a cluster file, and estimated."""

from pathlib import Path

import pytest

from mgcl.errors import SweepError
from mgcl.sweep.prices import estimate, rented

FILE = """
max_workers: 2
idle_timeout_minutes: 6
head_node_type: head
metadata: {usd_per_hour: {head: 0.5, big: 4.0, small: 1}}
available_node_types:
  head: {resources: {CPU: 0}}
  big: {resources: {CPU: 8, GPU: 1}}
  small: {resources: {CPU: 2, GPU: 1}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(FILE)
    return path


def test_the_price_is_that_of_the_machines_for_the_hours_that_they_are_rented(file) -> None:
    """32 hours of work, four trials a GPU. Small: two machines of two. Big: one of four."""
    said = estimate(rented(file), [8 * 3600.0] * 4, workers=4, share=0.25)
    small, big = 0.5 * 8.1 + 2 * 1 * 8.1, 0.5 * 8.1 + 1 * 4 * 8.1
    assert "an estimate: about 8:00:00 on 2 rented machines and the head" in said
    assert f"{small:.2f} (small) to {big:.2f} (big) US dollars" in said


def test_no_more_machines_than_the_file_allows_and_no_less_than_the_longest_trial(file) -> None:
    assert "about 5:00:00 on 2 rented" in estimate(rented(file), [3600.0] * 10, workers=100, share=1.0)
    assert "about 9:00:00 on 2 rented" in estimate(rented(file), [9 * 3600.0, 60.0], workers=2, share=1.0)


def test_a_trial_that_fits_nowhere_is_refused(file) -> None:
    with pytest.raises(SweepError, match="no node type has a CPU and 2 of a GPU"):
        estimate(rented(file), [1.0], workers=1, share=2.0)


@pytest.mark.parametrize(
    "old, new, fault",
    [
        (", small: 1", "", "no price of the node type small: add it"),
        ("head: 0.5", "head: cheap", "no price of the node type head"),
        ("head: 0.5", "head: -1", "no price of the node type head"),
        ("max_workers: 2", "", "not a cluster file with node types, max_workers"),
        ("max_workers: 2", "a: [", "not a cluster file"),
        (FILE, "3", "not a cluster file"),
    ],
)
def test_a_file_without_what_is_needed_is_named(file, old, new, fault) -> None:
    file.write_text(FILE.replace(old, new))
    with pytest.raises(SweepError, match=rf"{file}: .*{fault}"):
        rented(file)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(SweepError, match="No such file or directory; name a cluster file"):
        rented(tmp_path / "none.yaml")

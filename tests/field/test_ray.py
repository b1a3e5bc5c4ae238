"""Ray on a machine that is busy."""

import pytest
import ray

from mgcl.cluster.connect import cluster
from mgcl.cluster.machines import Machines
from mgcl.errors import ClusterError


def test_a_web_page_that_does_not_start_costs_no_sweep(monkeypatch, capsys) -> None:
    """Ray raises a bare Exception with twenty lines of the page's log, where a machine is too busy for it."""
    asked = []

    def init(*, include_dashboard: bool, **_):
        asked.append(include_dashboard)
        raise Exception("the last 20 lines of dashboard.log")

    monkeypatch.setattr(ray, "init", init)
    with (
        pytest.raises(ClusterError, match="Ray does not start on this machine"),
        cluster(Machines(), cpus=1, dashboard=True),
    ):
        pass
    assert asked == [True, False]
    assert "Ray's web page does not start" in capsys.readouterr().out

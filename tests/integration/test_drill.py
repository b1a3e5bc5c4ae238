"""The drill, small: a worker and a node with its workers are killed. `make drill` kills driver, shell and queue too."""

import pytest

from tests.integration.drill import drill


@pytest.mark.timeout(1500)
def test_a_sweep_under_fire_ends_as_one_left_alone(tmp_path, bank, capsys) -> None:
    drill(tmp_path, bank.path, trials=20, episodes=8, kills=("worker", "node"), seed=9)
    said = capsys.readouterr().out
    assert "20 trials, 2 kills" in said

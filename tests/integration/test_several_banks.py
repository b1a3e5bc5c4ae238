"""One sweep over several banks: each its table, all of them together, nothing run twice."""

import csv

from sweeps import zero_shot
from tests.generated_bank import write_generated_bank
from tests.integration.conftest import Place

FEW = ("--ways", "2", "--shots", "1", "--queries", "5", "--episodes", "2", "--variants", "zero-shot", "prototypical")


def test_a_sweep_of_two_banks_and_of_another_task(place: Place) -> None:
    other = write_generated_bank(place.folder / "other", classes=6, clips=16, segments=5, d=24, seed=1)
    done = place.here(str(other.path), *FEW, "--local")
    assert done.returncode == 0, done.stderr
    with (place.report / "cells.csv").open(encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 4
    assert len({cell["bank"] for cell in cells}) == 2
    assert "## Over all banks" in (place.report / "report.md").read_text(encoding="utf-8")
    assert "nothing to run, all 4 trials are recorded" in place.here(str(other.path), *FEW, "--local").stdout
    assert "nothing to run, all 2 trials are recorded" in place.here(*FEW, "--local").stdout

    twin = place.here(str(place.bank), *FEW, "--local")
    assert twin.returncode == 2
    assert "has the same content as" in twin.stderr

    done = place.here(str(other.path), "--local", asked=zero_shot.SWEEPS[0])
    assert done.returncode == 0, done.stderr
    report = (place.folder / "reports" / "zero_shot" / "report.md").read_text(encoding="utf-8")
    assert "95 % bootstrap interval (half its width) over the clips" in report
    assert "clip_accuracy" in {name for (name,) in place.query("SELECT DISTINCT key FROM latest_metrics")}

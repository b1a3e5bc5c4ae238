"""What weights were trained on, against data sets."""

import re

import pytest

from mgcl import overlaps as known
from mgcl.catalogue import names
from mgcl.overlaps import overlaps
from mgcl.reporting.notes import caption
from mgcl.reporting.tables import build
from tests.cases import changed_run, setting
from tests.unit.test_tables import RUN


def test_every_line_is_of_a_data_set_and_has_a_source() -> None:
    for line in known._lines():
        assert any(re.fullmatch(line["dataset"], name) for name in names("dataset")), line["dataset"]
        assert all(line.values())


@pytest.mark.parametrize(
    ("backbone", "dataset", "training"),
    [
        ("mga_clap model.pt", "ESC-50", ["WavCaps"]),
        ("mga_clap model.pt", "desed", []),
        ("ms_clap CLAP_weights_2023.pth", "clotho", []),
        ("transformers_clap laion/clap-htsat-unfused", "audiocaps", ["AudioCaps"]),
        ("laion_clap 630k-audioset-best.pt", "clotho", ["Clotho"]),
        ("efficientat mn10_as.pt", "audioset_strong", ["AudioSet's training segments"]),
    ],
)
def test_overlaps_are_found_by_the_names_in_a_bank(backbone, dataset, training) -> None:
    assert [each.training for each in overlaps(backbone, dataset)] == training


def test_a_report_states_them_under_its_table() -> None:
    (table,) = build([changed_run(RUN, setting=setting(dataset="clotho", backbone="ms_clap CLAP_weights_2022.pth"))])
    (line,) = [each for each in caption(table) if each.startswith("Overlap")]
    assert line.startswith("Overlap: its weights were trained on Clotho: 29,646 pairs")
    assert line.endswith("(arXiv 2206.04769, 3.1).")

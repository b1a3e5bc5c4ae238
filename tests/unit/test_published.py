"""The paper's figures: copied right, and compared only with what is like them."""

from dataclasses import replace

import pytest

from mgcl.records import Setting
from mgcl.reporting.published import COLUMNS, difference, markdown, published, what_differs
from mgcl.reporting.tables import build
from tests.unit.test_tables import RUN, ZERO

PAPER = Setting("fsdkaggle18", "ms_clap CLAP_weights_2022.pth", "b" * 64, "seeded 15", "clip", 1, 50, 100)


def table(setting: Setting = PAPER, columns=COLUMNS, folds: int = 5, row: str = "full"):
    runs = [
        replace(RUN, key=f"{way}{shot}{fold}", setting=setting, variants=(row,), way=way, shot=shot, fold=fold)
        for way, shot in columns
        for fold in range(folds)
    ]
    return build(runs)[0]


def test_the_figures_are_consistent() -> None:
    figures = published()
    stated = [row for row, column in figures if column is None and not figures[row, None].derived]
    assert len(stated) == 11
    for row in stated:
        mean = sum(figures[row, column].accuracy for column in COLUMNS) / len(COLUMNS)
        assert figures[row, None].accuracy == pytest.approx(mean, abs=0.011)
    derived = {row for (row, _), figure in figures.items() if figure.derived}
    assert derived == {
        "zero-shot",
        "previous-best",
        "without-contrast",
        "without-coarse-contrast",
        "without-fine-contrast",
    }


def test_a_stated_figure_counts_before_a_derived_one() -> None:
    assert not published()["full", None].derived


def test_the_difference_stands_where_everything_is_the_papers() -> None:
    assert what_differs(table()) == ()
    assert difference(table(), ("full", (5, 1))) == pytest.approx(92.0 - 90.67)
    assert difference(table(), ("full", None)) == pytest.approx(92.0 - 91.74)
    text = markdown(table())
    assert text.startswith("### Published, and the difference")
    assert "| full      | 90.67          | +1.33 " in text
    assert "Which classes its folds hold is not published" in text


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"dataset": "esc50"}, ("data",)),
        ({"backbone": "ms_clap CLAP_weights_2023.pth"}, ("backbone",)),
        ({"backbone": "tiny", "dataset": "soundscapes"}, ("data", "backbone")),
        ({"folds": "published 10"}, ("protocol",)),
        ({"queries": 30}, ("protocol",)),
        ({"episodes": 20}, ("protocol",)),
        ({"split": "source"}, ("protocol",)),
        ({"dataset": "FSDKaggle2018", "backbone": "MS-CLAP 2022"}, ()),
    ],
)
def test_elsewhere_it_does_not(changes, differs) -> None:
    other = table(replace(PAPER, **changes))
    assert what_differs(other) == differs
    assert (difference(other, ("full", (5, 1))) is None) == bool(differs)
    assert ("ours minus" in markdown(other)) != bool(differs)
    assert "| 90.67 " in markdown(other)
    if differs:
        assert markdown(other).startswith(f"### Paper (other {' and '.join(differs)})")


def test_fewer_folds_are_another_protocol() -> None:
    assert what_differs(table(folds=4)) == ("protocol",)


def test_the_mean_needs_all_four_columns() -> None:
    assert difference(table(columns=COLUMNS[:3]), ("full", None)) is None
    assert difference(table(columns=COLUMNS[:3]), ("full", (5, 1))) is not None


def test_what_the_text_does_not_give_stays_empty() -> None:
    text = markdown(table(row="without-contrast"))
    assert ("without-contrast", (5, 1)) not in published()
    cells = [cell.strip() for cell in text.splitlines()[4].split("|")[1:-1]]
    assert cells == ["without-contrast", *[""] * 8, "79.67†", "+12.33"]
    assert "†: derived" in text


def test_rows_that_the_paper_lacks_are_left_out() -> None:
    assert markdown(build([replace(ZERO, variants=("mel-statistics",))])[0]) == ""
    assert "(alpha" not in markdown(build([RUN, replace(RUN, key="o", parameters={"alpha": "2"})])[0])

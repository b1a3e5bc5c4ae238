"""The paper's figures: copied right, and compared only with what is like them."""

from dataclasses import replace

import pytest

from mgcl.reporting import blocks
from mgcl.reporting import published as published_figures
from mgcl.reporting.published import MEAN, difference
from mgcl.reporting.tables import build
from tests.cases import changed_run, changed_setting, setting
from tests.unit.test_tables import RUN, ZERO


def markdown(*given) -> str:
    return blocks.markdown(published_figures.blocks(*given))


PAPER = setting(
    dataset="fsdkaggle18", backbone="ms_clap CLAP_weights_2022.pth", folds="seeded 15", queries=50, episodes=100
)
COLUMNS = ((5, 1), (5, 10), (12, 1), (12, 10))
NAMES = [f"{way}-way {shot}-shot" for way, shot in COLUMNS]
SOURCE = "MGCL (ACM MM 2024, doi 10.1145/3664647.3681389)"
PALM = "PALM (EMNLP 2024, arXiv 2409.19806)"


def published():
    figures = published_figures.published("few_shot", "accuracy")
    assert {source for source, _, _ in figures} == {SOURCE, PALM}
    return {(row, column): figure for (source, row, column), figure in figures.items() if source == SOURCE}


def what_differs(table):
    return published_figures.what_differs(table, SOURCE)


def table(where=PAPER, columns=COLUMNS, folds: int = 5, row: str = "full"):
    runs = [
        changed_run(RUN, key=f"{way}{shot}{fold}", setting=where, variants=(row,), way=way, shot=shot, fold=fold)
        for way, shot in columns
        for fold in range(folds)
    ]
    return build(runs)[0]


def test_the_figures_are_consistent() -> None:
    figures = published()
    stated = [row for row, column in figures if column == MEAN and not figures[row, MEAN].derived]
    assert len(stated) == 11
    for row in stated:
        mean = sum(figures[row, column].value for column in NAMES) / len(COLUMNS)
        assert figures[row, MEAN].value == pytest.approx(mean, abs=0.011)
    derived = {row for (row, _), figure in figures.items() if figure.derived}
    assert derived == {
        "zero-shot",
        "previous-best",
        "without-contrast",
        "without-coarse-contrast",
        "without-fine-contrast",
    }


def test_a_stated_figure_counts_before_a_derived_one() -> None:
    assert not published()["full", MEAN].derived


def test_the_difference_stands_where_everything_is_the_papers() -> None:
    assert what_differs(table()) == ()
    assert difference(table(), (SOURCE, "full", "5-way 1-shot")) == pytest.approx(92.0 - 90.67)
    assert difference(table(), (SOURCE, "full", MEAN)) == pytest.approx(92.0 - 91.74)
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
    other = table(changed_setting(PAPER, **changes))
    assert what_differs(other) == differs
    assert (difference(other, (SOURCE, "full", "5-way 1-shot")) is None) == bool(differs)
    assert ("ours minus" in markdown(other)) != bool(differs)
    assert "| 90.67 " in markdown(other)
    if differs:
        assert markdown(other).startswith(f"### Paper (other {' and '.join(differs)})")


def test_fewer_folds_are_another_protocol() -> None:
    assert what_differs(table(folds=4)) == ("protocol",)


def test_the_mean_needs_all_four_columns() -> None:
    assert difference(table(columns=COLUMNS[:3]), (SOURCE, "full", MEAN)) is None
    assert difference(table(columns=COLUMNS[:3]), (SOURCE, "full", "5-way 1-shot")) is not None


def test_what_the_text_does_not_give_stays_empty() -> None:
    text = markdown(table(row="without-contrast"))
    assert ("without-contrast", "5-way 1-shot") not in published()
    cells = [cell.strip() for cell in text.splitlines()[4].split("|")[1:-1]]
    assert cells == ["without-contrast", *[""] * 8, "79.67†", "+12.33"]
    assert "†: derived" in text


def test_rows_that_the_paper_lacks_are_left_out() -> None:
    assert markdown(build([changed_run(ZERO, variants=("mel-statistics",))])[0]) == ""
    assert "(alpha" not in markdown(build([RUN, changed_run(RUN, key="o", parameters={"alpha": "2"})])[0])


@pytest.mark.parametrize(
    ("changes", "first_line"),
    [
        ({}, "### Paper (other backbone)"),
        ({"backbone": "pengi"}, "### Published, and the difference"),
        ({"split": "clip"}, ""),
        ({"dataset": "fsdkaggle18"}, ""),
    ],
)
def test_palms_figure_stands_beside_its_own_data_and_protocol_alone(changes, first_line) -> None:
    where = setting(**{"dataset": "ESC-50", "folds": "all 50", "split": "fold", "queries": 8, "episodes": 5} | changes)
    text = markdown(table(where, ((50, 16),), folds=1, row="palm"))
    assert text.split("\n")[0] == first_line
    assert ("95.93" in text) == bool(first_line)
    assert ("ours minus it" in text) == (changes == {"backbone": "pengi"})
    assert "mean" not in text


MGA_CLAP = {
    ("zero_shot", "accuracy"): {"ESC-50": 94.9, "UrbanSound8K": 83.7, "VGGSound": 31.8},
    ("multi_label", "mAP"): {"FSD50K": 54.5, "AudioSet": 23.0},
    ("detection", "PSDS1"): {"DESED": 0.264, "UrbanSED": 0.087},
    ("detection", "PSDS1_A"): {"AudioSet-Strong": 0.354},
    ("grounding", "PSDS-0.5"): {"AudioGrounding": 0.487},
    ("retrieval", "recall at 1"): {"AudioCaps": 53.7, "Clotho": 26.5},
}


@pytest.mark.parametrize("place", MGA_CLAP, ids=" ".join)
def test_mga_claps_figures_are_those_of_its_eleven_tasks(place) -> None:
    figures = published_figures.published(*place)
    assert {source.rpartition(", ")[2]: figure.value for (source, _, _), figure in figures.items()} == MGA_CLAP[place]
    named = {source: asked for source, asked in published_figures._conditions().items() if "MGA-CLAP" in source}
    assert len(named) == 11
    assert all(asked["setting"] is None and asked["note"] for asked in named.values())
    own_data_alone = {asked["dataset"] for asked in named.values() if not asked["elsewhere"]}
    assert own_data_alone == {"esc50zeroshot", "urbansound8k", "vggsound"}


def test_audio_groundings_figure_says_that_its_kind_is_not_known() -> None:
    where = replace(RUN.setting, task="grounding", dataset="soundscape_phrases", drawn=())
    scores = dict.fromkeys(("PSDS-0.5", "PSDS-0.7", "PSDS-0.1"), (0.5, 0.6))
    run = replace(RUN, setting=where, variants=("zero-shot",), column=(30,), pooled=(), scores=scores)
    tables = build([run])
    assert len(tables) == 3
    for each in tables:
        text = markdown(each)
        assert text.startswith("### Paper (other data and backbone)")
        assert "| all queries" in text and "0.487" in text
        assert "without saying which of the three PSDS it is" in text


@pytest.mark.parametrize("dataset", ["esc50_zero_shot", "urbansound8k", "vggsound"])
def test_no_difference_is_given_where_a_run_cannot_tell_whether_the_conditions_are_the_same(dataset) -> None:
    drawn = (("classes", 50),)
    where = replace(RUN.setting, task="zero_shot", dataset=dataset, backbone="mga_clap", drawn=drawn)
    run = replace(RUN, setting=where, variants=("zero-shot",), column=("prompt",), pooled=())
    assert markdown(build([replace(run, setting=replace(where, dataset="soundscapes"))])[0]) == ""
    text = markdown(build([run])[0])
    assert text.startswith("### Published\n")
    assert "ours minus it" not in text
    assert "A run does not record the window, the prompt and whose weights it had" in text

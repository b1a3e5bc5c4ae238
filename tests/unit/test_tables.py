"""Tables: right numbers, nothing mixed, nothing silently absent, the same bytes whatever the order."""

import pytest
from scipy import stats

from mgcl.errors import ReportError
from mgcl.methods.variants import GROUPS, VARIANTS
from mgcl.records import Convergence, TrialRun
from mgcl.reporting import blocks, differences, printing
from mgcl.reporting.report import write
from mgcl.reporting.tables import build
from mgcl.tasks import Metric, few_shot
from tests.cases import changed_run, changed_setting, setting

SETTING = setting()
RUN = TrialRun(
    run_id="r",
    key="k",
    status="FINISHED",
    setting=SETTING,
    variants=("full",),
    column=(5, 1),
    pooled=(0, 0),
    method="mgcl",
    version=1,
    parameters={"alpha": "1.1"},
    scores={"accuracy": (0.9, 0.94, 0.92)},
    convergence=Convergence(800, 0),
    device="cpu",
    error="",
)
ZERO = changed_run(RUN, key="z", variants=("zero-shot",), method="zero_shot", parameters={}, accuracies=(0.5, 0.5, 0.5))


def markdown(table) -> str:
    return blocks.markdown(printing.blocks(table))


def cell(runs, row="full", column=(5, 1)) -> str:
    (table,) = build(runs)
    lines = markdown(table).splitlines()
    names = [name.strip() for name in lines[0].split("|")]
    index = names.index(f"{column[0]}-way {column[1]}-shot")
    return next(line.split("|")[index].strip() for line in lines if line.startswith(f"| {row} "))


def test_one_fold_is_its_episodes_by_scipys_arithmetic() -> None:
    half_width = stats.sem(RUN.scores["accuracy"]) * stats.t.ppf(0.975, 2)
    assert cell([RUN]) == f"92.00 ± {100 * half_width:.2f}" == "92.00 ± 4.97"


def test_folds_weigh_alike_whatever_their_seeds() -> None:
    runs = [
        RUN,
        changed_run(RUN, key="k1", seed=1, accuracies=(0.8, 0.8, 0.8)),
        changed_run(RUN, key="k2", fold=1, accuracies=(0.7, 0.7, 0.7)),
    ]
    folds = [(0.92 * 3 + 0.8 * 3) / 6, 0.7]
    half_width = stats.sem(folds) * stats.t.ppf(0.975, 1)
    assert cell(runs) == f"{50 * sum(folds):.2f} ± {100 * half_width:.2f} (3 of 4 trials)"


def test_the_caption_says_what_the_interval_covers() -> None:
    assert "covers the draw of episodes only" in markdown(build([RUN])[0])
    caption = markdown(build([RUN, changed_run(RUN, key="k2", fold=1)])[0])
    assert "over the means of 2 folds. Folds share classes" in caption
    assert "3 episodes a fold and seed, 15 queries a class, folds: all 10, split: clip, seeds: 0." in caption


@pytest.mark.parametrize("field", ["dataset", "backbone", "bank", "folds", "split", "queries", "episodes"])
def test_settings_are_never_mixed(field) -> None:
    value = 99 if field in ("queries", "episodes") else "other"
    tables = build([RUN, changed_run(RUN, key="k2", setting=changed_setting(SETTING, **{field: value}))])
    assert len(tables) == 2


def test_only_the_newest_version_of_a_method_counts() -> None:
    newer = changed_run(RUN, key="k2", version=2, accuracies=(0.1, 0.1, 0.1))
    assert cell([newer, RUN, ZERO]) == "10.00 ± 0.00"


def test_only_the_newest_version_of_a_task_counts() -> None:
    newer = changed_run(RUN, key="k2", setting=changed_setting(SETTING, protocol=2), accuracies=(0.1, 0.1, 0.1))
    (table,) = build([newer, RUN, ZERO])
    assert table.runs == (newer,)


def test_a_metric_that_older_runs_lack_is_a_table_of_those_that_have_it(monkeypatch) -> None:
    monkeypatch.setattr(few_shot, "METRICS", (*few_shot.METRICS, Metric("calibration error", "", False)))
    assert [table.metric.name for table in build([RUN, ZERO])] == ["accuracy"]
    measured = changed_run(RUN, key="m", pooled=(1, 0), scores={**RUN.scores, "calibration error": (0.1, 0.3, 0.2)})
    _, table = build([RUN, ZERO, measured])
    entry = table.entries["full", (5, 1)]
    assert entry.estimate.mean == pytest.approx(0.2)
    assert ("zero-shot", (5, 1)) in table.entries
    assert "| full " in markdown(table)
    assert "zero-shot" not in blocks.markdown(differences.blocks(table, "full"))


def test_parameters_that_differ_are_different_rows() -> None:
    other = changed_run(RUN, key="k2", parameters={"alpha": "2.0"})
    assert build([RUN, other])[0].rows == ("full (alpha=1.1)", "full (alpha=2.0)")


def test_rows_follow_the_given_order_then_their_names() -> None:
    runs = [RUN, ZERO, changed_run(RUN, key="a", variants=("zebra", "antelope"))]
    assert build(runs, order=("zero-shot", "full"))[0].rows == ("zero-shot", "full", "antelope", "zebra")


def test_rows_stand_under_their_headings_and_the_others_last() -> None:
    searched = changed_run(
        RUN,
        key="s",
        variants=("full (searched ab)",),
        searched={"full (searched ab)": "full"},
        parameters={"alpha": "2"},
    )
    runs = [RUN, ZERO, searched, changed_run(RUN, key="a", variants=("mine",))]
    (table,) = build(runs, ("full", "zero-shot"), {"Baselines": ("zero-shot",), "Empty": (), "Method": ("full",)})
    assert table.rows == ("full", "full (searched ab)", "zero-shot", "mine")
    assert table.groups == (
        ("Baselines", ("zero-shot",)),
        ("Method", ("full", "full (searched ab)")),
        ("Other", ("mine",)),
    )
    names = [line.split("|")[1].strip() for line in markdown(table).splitlines() if line.startswith("| ")]
    assert names == [
        *("variant", "*Baselines*", "zero-shot", "*Method*", "full", "full (searched ab)", "*Other*", "mine")
    ]


def test_rows_of_one_group_have_no_heading() -> None:
    assert "*" not in markdown(build([RUN])[0])
    assert "Method" not in markdown(build([RUN], groups={"Method": ("full",), "Baselines": ("zero-shot",)})[0])


def test_every_variant_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(VARIANTS)


def test_a_trial_of_two_names_is_two_rows() -> None:
    runs = [changed_run(RUN, variants=("full", "explanations-8"))]
    assert cell(runs) == cell(runs, "explanations-8")


def test_what_was_not_run_or_failed_is_said() -> None:
    failed = changed_run(RUN, key="f", shot=5, status="FAILED", accuracies=(), error="FloatingPointError: nan\nmore")
    half = changed_run(RUN, key="h", fold=1, status="FAILED", accuracies=(), error="killed")
    assert cell([RUN, ZERO, failed], column=(5, 5)) == "failed"
    assert cell([RUN, ZERO, failed], "zero-shot", (5, 5)) == "not run"
    assert cell([RUN, half]).endswith("(1 of 2 trials)")
    assert "Failed: trial f (full): FloatingPointError: nan" in markdown(build([RUN, failed])[0])


def test_a_cell_that_lacks_a_fold_or_seed_says_so() -> None:
    runs = [
        RUN,
        ZERO,
        changed_run(RUN, key="k1", fold=1),
        changed_run(RUN, key="k2", seed=1),
        changed_run(RUN, key="k3", fold=1, seed=1),
    ]
    assert cell(runs, "zero-shot") == "50.00 ± 0.00 (1 of 4 trials)"
    assert "of" not in cell(runs)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"`out` .*file: .* cannot be written \(Not a directory\)"):
        write("s", [RUN], tmp_path / "file")


def test_unconverged_problems_and_mixed_devices_are_said() -> None:
    caption = markdown(build([changed_run(RUN, convergence=Convergence(800, 3)), changed_run(ZERO, device="cuda")])[0])
    assert "3 of 1,600 transport problems missed their tolerance" in caption
    assert "Devices are mixed (cpu, cuda)" in caption


def test_the_order_of_the_runs_changes_no_byte(tmp_path) -> None:
    runs = [changed_run(RUN, key=f"k{seed}{fold}", seed=seed, fold=fold, accuracies=(0.1 * seed, 0.3, 0.7 / (fold + 1)))
            for seed in range(3) for fold in range(5)]  # fmt: skip
    folders = [write("s", each, tmp_path / name) for name, each in (("a", runs), ("b", runs[::-1]))]
    for file in ("report.md", "cells.csv"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()


def test_the_csv_holds_the_cells_and_their_keys(tmp_path) -> None:
    lines = (write("s", [RUN, ZERO], tmp_path) / "cells.csv").read_text().splitlines()
    header, full = (line.split(",") for line in lines[:2])
    row = dict(zip(header, full, strict=True))
    assert {"variant": "full", "way": "5", "accuracy_percent": "92.0000", "trial_keys": "k"}.items() <= row.items()


def test_the_best_of_a_column_is_bold_as_printed() -> None:
    near = changed_run(RUN, key="n", variants=("near",), parameters={"alpha": "2"}, accuracies=(0.92, 0.92, 0.920001))
    assert cell([RUN, ZERO, near]).startswith("**92.00 ± ")
    assert cell([RUN, ZERO, near], "near").startswith("**92.00 ± ")
    assert cell([RUN, ZERO, near], "zero-shot") == "50.00 ± 0.00"
    assert "Bold: the highest mean of a column" in markdown(build([RUN, ZERO])[0])


def test_neither_a_lone_entry_nor_one_that_lacks_trials_is_best() -> None:
    assert cell([RUN]) == "92.00 ± 4.97"
    assert "Bold" not in markdown(build([RUN])[0])
    partial = [RUN, ZERO, changed_run(ZERO, key="z1", fold=1)]
    assert "**" not in markdown(build(partial)[0])


def test_the_caption_says_how_many_captions_name_their_class() -> None:
    assert "captions contain" not in markdown(build([RUN])[0])
    told = changed_run(RUN, captions_naming_class=0.0125)
    assert "1.2 % of the captions contain a word of their class's name." in markdown(build([told, ZERO])[0])

"""Paired differences: the same episodes subtracted one by one, by SciPy's arithmetic."""

from scipy import stats

from mgcl.reporting import blocks, differences
from mgcl.reporting.tables import build
from tests.cases import changed_run
from tests.unit.test_tables import RUN, ZERO


def markdown(*given) -> str:
    return blocks.markdown(differences.blocks(*given))


def difference(runs, row: str) -> str:
    (table,) = build(runs)
    lines = [line for line in markdown(table, "full").splitlines() if line.startswith(f"| {row} ")]
    return lines[0].split("|")[2].strip() if lines else ""


def test_one_fold_is_its_episodes() -> None:
    differences = [a - b for a, b in zip(RUN.scores["accuracy"], ZERO.scores["accuracy"], strict=True)]
    half_width = stats.sem(differences) * stats.t.ppf(0.975, 2)
    assert difference([RUN, ZERO], "zero-shot") == f"+42.00 ± {100 * half_width:.2f}"
    assert "episodes of the one fold" in markdown(build([RUN, ZERO])[0], "full")


def test_folds_are_their_means() -> None:
    others = [changed_run(each, key=f"{each.key}1", fold=1, accuracies=(0.7, 0.7, 0.7)) for each in (RUN, ZERO)]
    folds = [0.42, 0.0]
    half_width = stats.sem(folds) * stats.t.ppf(0.975, 1)
    assert difference([RUN, ZERO, *others], "zero-shot") == f"+21.00 ± {100 * half_width:.2f}"


def test_rows_that_lack_trials_are_compared_on_those_that_both_have() -> None:
    fulls = [changed_run(RUN, key=f"k{fold}", fold=fold, accuracies=(0.9, 0.9, 0.6 + fold / 10)) for fold in range(3)]
    zeros = [changed_run(each, key=f"z{each.block}", variants=("zero-shot",), accuracies=(0.5,) * 3) for each in fulls]
    failed = changed_run(zeros[2], status="FAILED", accuracies=(), error="x")
    means = [0.8 - 0.5, 2.5 / 3 - 0.5]
    half_width = stats.sem(means) * stats.t.ppf(0.975, 1)
    runs = [*fulls, *zeros[:2], failed]
    assert difference(runs, "zero-shot") == f"{50 * sum(means):+.2f} ± {100 * half_width:.2f} (2 of 3 trials)"
    assert "In brackets: trials that both finished" in markdown(build(runs)[0], "full")
    assert "In brackets" not in markdown(build([*fulls, *zeros])[0], "full")
    assert difference([*fulls, zeros[1]], "zero-shot").endswith("(1 of 3 trials)")


def test_one_episode_has_no_interval() -> None:
    assert (
        difference([changed_run(run, accuracies=run.scores["accuracy"][:1]) for run in (RUN, ZERO)], "zero-shot")
        == "+40.00"
    )


def test_rows_that_cannot_be_paired_are_left_out() -> None:
    same = changed_run(RUN, variants=("full", "explanations-8"))
    elsewhere = changed_run(ZERO, fold=3)
    failed = changed_run(ZERO, status="FAILED", accuracies=(), error="x")
    assert markdown(build([same])[0], "full") == ""
    assert markdown(build([RUN, elsewhere])[0], "full") == ""
    assert markdown(build([RUN, failed])[0], "full") == ""
    assert markdown(build([ZERO])[0], "full") == ""

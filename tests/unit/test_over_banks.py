"""The table over several banks: means of means, nothing that a bank lacks."""

from scipy import stats

from mgcl.reporting import blocks, over_banks
from mgcl.reporting.report import write
from mgcl.reporting.tables import build
from tests.cases import changed_run, changed_setting
from tests.unit.test_tables import RUN, SETTING, ZERO

OTHER = changed_setting(SETTING, dataset="esc50", bank="c" * 64)
THERE = changed_run(RUN, key="o", setting=OTHER, accuracies=(0.5, 0.6, 0.7))


def markdown(*given) -> str:
    return blocks.markdown(over_banks.blocks(*given))


def test_a_row_is_the_mean_of_the_banks_means() -> None:
    text = markdown(build([RUN, THERE, ZERO]))
    half_width = stats.sem([92, 60]) * stats.t.ppf(0.975, 1)
    assert f"| full      | 76.00 ± {half_width:.2f} |" in text
    assert "| zero-shot | -" in text
    assert "mean over 2 banks (esc10, clap; esc50, clap)" in text


def test_one_bank_has_none_and_a_report_of_two_has_it_below_their_tables(tmp_path) -> None:
    assert markdown(build([RUN, ZERO])) == ""
    report = (write("s", [RUN, THERE], tmp_path) / "report.md").read_text()
    assert report.index("## esc50") < report.index("## Over all banks") < report.index("## What the paper leaves open")

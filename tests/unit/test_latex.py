"""Tables for LaTeX: whatever things are called, it compiles."""

from mgcl.reporting.latex import latex
from mgcl.reporting.tables import build
from tests.cases import changed_run, changed_setting
from tests.unit.test_tables import RUN, SETTING, ZERO


def test_names_may_hold_what_latex_takes_for_its_own() -> None:
    odd = changed_run(
        RUN, setting=changed_setting(SETTING, dataset="a_b & 5% #1", backbone=r"{x}~y^z\w$"), variants=("a_b",)
    )
    text = latex(build([odd]))
    assert r"Data set a\_b \& 5\% \#1, backbone \{x\}\textasciitilde{}y\textasciicircum{}z\textbackslash{}w\$," in text
    assert "a\\_b & 92.00 $\\pm$ 4.97 \\\\" in text
    assert text.isascii()


def test_failed_trials_are_comments() -> None:
    failed = changed_run(ZERO, key="f", status="FAILED", accuracies=(), error="ValueError: ε_1 & 5 %\nmore")
    lines = latex(build([RUN, failed])).splitlines()
    assert "% Failed: trial f (zero-shot): ValueError: ε_1 & 5 %" in lines
    assert r"zero-shot & failed \\" in lines
    assert [line.partition("%")[0] for line in lines if "ε" in line] == [""]

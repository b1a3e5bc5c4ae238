"""A whole report from a few recorded runs: to the byte, recomputed by SciPy, and honest about what is missing.

python tests/unit/test_report.py    # writes golden_report/ again; read the difference
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mgcl.records import TrialRun
from mgcl.reporting.figure import Figure
from mgcl.reporting.outline import Outline
from mgcl.reporting.report import write
from tests.cases import changed_run, changed_setting
from tests.unit.test_tables import RUN, SETTING

GOLDEN = Path(__file__).parent / "golden_report"
FILES = ("report.md", "cells.csv", "table.tex")
FOLDS, COLUMNS = 5, ((5, 1), (5, 10))
ORDER = ("full", "audio-only", "zero-shot")
GROUPS = {"Baselines": ("zero-shot", "prototypical"), "Method": ("full",), "Table 2: fusion & more": ("audio-only",)}
CORRECT = {
    ("full", (5, 1)): ((61, 66), (70, 59), (64, 68), (57, 62), (69, 71)),
    ("audio-only", (5, 1)): ((60, 62), (66, 60), (61, 66), (58, 57), (63, 70)),
    ("zero-shot", (5, 1)): ((41, 50), (52, 44), (47, 49), (39, 45), (53, 51)),
    ("full", (5, 10)): ((70, 71), (73, 69), (72, 74), (66, 70), (73, 75)),
    ("audio-only", (5, 10)): ((71, 71), (70, 69), (73, 72), (67, 66), (74, 75)),
}
"""Of 75 query clips: (row, column) -> a pair of episodes a fold."""
FAILED = {("audio-only", (5, 10), 3), ("audio-only", (5, 10), 4)}
PLANNED = [f"{row}-{way}-{shot}-{fold}" for row in ORDER for way, shot in COLUMNS for fold in range(FOLDS)]
PICTURE = '<?xml version="1.0"?><svg><path id="a"/><use href="#a" clip-path="url(#a)"/></svg>'


def recorded() -> list[TrialRun]:
    runs = []
    for (row, (way, shot)), folds in CORRECT.items():
        for fold, correct in enumerate(folds):
            failed = (row, (way, shot), fold) in FAILED
            run = changed_run(
                RUN,
                key=f"{row}-{way}-{shot}-{fold}",
                setting=changed_setting(SETTING, dataset="esc50", folds="published 15", episodes=2),
                variants=(row, "explanations-8") if row == "full" else (row,),
                way=way,
                shot=shot,
                fold=fold,
                parameters={"epsilon": "0.1", "coarse": "clip", **({"fusion": "audio"} if row == "audio-only" else {})},
                accuracies=() if failed else tuple(count / 75 for count in correct),
                status="FAILED" if failed else "FINISHED",
                error="FloatingPointError: the loss is nan" if failed else "",
            )
            runs.append(changed_run(run, method="zero_shot", parameters={}) if row == "zero-shot" else run)
    return runs


def draw(out: Path, runs: list[TrialRun] | None = None, **how) -> Path:
    return write("golden", runs or recorded(), out, outline=Outline(ORDER, GROUPS), **{"planned": PLANNED, **how})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return draw(tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize("file", FILES)
def test_golden(folder, file) -> None:
    assert (folder / file).read_bytes() == (GOLDEN / file).read_bytes()


def test_the_order_of_the_runs_changes_no_byte(folder, tmp_path) -> None:
    again = draw(tmp_path, recorded()[::-1])
    files = sorted(file.name for file in folder.iterdir())
    assert files == sorted([*FILES, "differences.csv", "index.html"])
    assert all((again / file).read_bytes() == (folder / file).read_bytes() for file in files)


def test_mean_interval_and_p_are_what_scipy_says(folder) -> None:
    text = re.sub(" +", " ", (folder / "report.md").read_text())
    full, audio, zero = (np.array(CORRECT[row, (5, 1)]) / 75 for row in ORDER)
    means = full.mean(axis=1)
    low, high = stats.t.interval(0.95, FOLDS - 1, loc=means.mean(), scale=stats.sem(means))
    assert f"| full | **{100 * means.mean():.2f} ± {50 * (high - low):.2f}** |" in text

    low, high = stats.ttest_rel(means, audio.mean(axis=1)).confidence_interval(0.95)
    assert f"| audio-only | {50 * (high + low):+.2f} ± {50 * (high - low):.2f} " in text

    exact = [
        stats.permutation_test(
            ((full - other).ravel(),), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
        ).pvalue
        for other in (audio, zero)
    ]
    assert exact[1] < exact[0]
    ahead = [int(((full - other).mean(axis=1) > 0).sum()) for other in (audio, zero)]
    assert f"| audio-only | {exact[0]:.4f} ({ahead[0]}/5) |" in text
    assert f"| zero-shot | {2 * exact[1]:.4f} ({ahead[1]}/5) |" in text


def test_a_half_done_sweep_with_failed_trials_says_so_at_the_top(folder) -> None:
    top = (folder / "report.md").read_text().splitlines()[:9]
    assert top[2] == "**Not done: 5 of the 30 trials of the latest command are missing. 23 trials finished, 2 failed.**"
    assert top[4:6] == [
        "- failed: audio-only, 5-way 10-shot, fold 3, seed 0 (trial audio-only-5-10-3)",
        "- failed: audio-only, 5-way 10-shot, fold 4, seed 0 (trial audio-only-5-10-4)",
    ]
    assert top[6:8] == [
        "- audio-only: 5-way 10-shot has 3 of 5 trials",
        "- zero-shot: 5-way 10-shot was not run",
    ]
    page = (folder / "index.html").read_text()
    assert page.index("Not done: 5 of the 30 trials") < page.index("<h2>")


def test_the_top_says_what_is_known(tmp_path) -> None:
    def top(runs, **how) -> str:
        return (draw(tmp_path, runs, **how) / "report.md").read_text().splitlines()[2]

    finished = [run for run in recorded() if run.status == "FINISHED"]
    assert top(recorded(), planned=None) == "**23 trials finished, 2 failed; how many the sweep has was not told.**"
    assert top(finished, planned=[run.key for run in finished]) == "**23 trials finished, 0 failed, none is missing.**"
    assert top(recorded(), planned=[run.key for run in recorded()]).startswith("**Not whole: 23 trials finished, 2 f")


def test_older_versions_of_a_method_are_left_out_and_said(tmp_path) -> None:
    old = [changed_run(run, key=f"{run.key}-old", version=0) for run in recorded() if run.method == "mgcl"]
    text = (draw(tmp_path, [*recorded(), *old]) / "report.md").read_text()
    assert "- left out: 20 trials of older versions of a method" in text


def test_the_page_stands_alone_and_its_pictures_do_not_clash(tmp_path) -> None:
    figures = [Figure(name, f"What <{name}> shows.", PICTURE, b"png") for name in ("one", "two")]
    folder = draw(tmp_path, figures=figures)
    page = (folder / "index.html").read_text()
    assert not re.search(r"(src|href)=\"(?!#)|@import|url\((?!#)|<link|<script\s|fetch\(|import\(", page)
    assert page.count("<script>") == 1
    assert page.count("<svg") == 2
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert ids == ["one-a", "two-a"]
    for name in ("one", "two"):
        assert f'<use href="#{name}-a" clip-path="url(#{name}-a)"/>' in page
        assert (folder / f"{name}.svg").read_text() == PICTURE
        assert (folder / f"{name}.png").read_bytes() == b"png"
        assert f"]({name}.png)" in (folder / "report.md").read_text()
    assert "What &lt;one&gt; shows." in page
    assert all(run.key in page for run in recorded())


def test_what_a_former_report_left_is_removed_and_nothing_else(tmp_path) -> None:
    figures = [Figure(name, "A picture [of](it).", PICTURE, b"png") for name in ("table-1-gain", "shots")]
    folder = draw(tmp_path, figures=figures)
    for file in ("gain.png", "notes.md"):
        (folder / file).write_text("the user's own")
    draw(tmp_path, recorded()[:FOLDS], figures=figures[1:])
    kept = {"report.md", "index.html", "cells.csv", "table.tex", "shots.svg", "shots.png", "gain.png", "notes.md"}
    assert {file.name for file in folder.iterdir()} == kept


def test_what_a_run_says_is_text_in_the_page(tmp_path) -> None:
    failed = changed_run(RUN, key="f", shot=5, status="FAILED", accuracies=(), error="<script>alert(1)</script>")
    page = (draw(tmp_path, [RUN, failed]) / "index.html").read_text()
    assert "<script>alert" not in page
    assert page.count("<script>") == 1


def test_the_page_marks_what_differs_from_the_reference_beyond_its_interval(folder) -> None:
    page = (folder / "index.html").read_text()
    cells = re.findall(r'<td class="(better|worse)">(?:<strong>)?([^<]*)', page)
    assert cells == [("worse", text) for text in ("62.80 ± 6.09 ", "83.07 ± 5.51 ", "+23.47 ± 1.08 ", "+3.20 ± 1.23 ")]
    assert page.count("▲ better, ▼ worse than full: the 95 % interval") == 2
    csv = [line.split(",") for line in (folder / "differences.csv").read_text().splitlines()]
    found = [dict(zip(csv[0], line, strict=True)) for line in csv[1:]]
    beyond = [abs(float(each["difference_points"])) > float(each["half_width_points"]) for each in found]
    assert 2 * sum(beyond) == len(cells)
    assert not all(beyond)


def test_without_the_reference_nothing_is_marked(tmp_path) -> None:
    runs = [run for run in recorded() if "full" not in run.variants]
    page = (draw(tmp_path, runs) / "index.html").read_text()
    assert not re.search(r'class="(better|worse|legend)"', page)


def test_searched_values_keep_their_line(tmp_path) -> None:
    name = "full (searched ab12cd)"
    searched = [
        changed_run(run, key=f"{run.key}-s", variants=(name,), searched={name: "full"}, accuracies=(1.0, 1.0))
        for run in recorded()
        if "full" in run.variants and run.column[1] == 1
    ]
    text = (draw(tmp_path, [*recorded(), *searched]) / "report.md").read_text()
    assert re.search(r"- full \(searched ab12cd\) against its own values, 5-way 1-shot: \+.* points, better", text)


def test_every_choice_that_was_recorded_is_named(folder) -> None:
    section = (folder / "report.md").read_text().split("## What the paper leaves open")[1]
    taken = {line.split("|")[1].strip(): line.split("|")[3].strip() for line in section.splitlines() if "|" in line}
    assert taken.items() >= {"epsilon": "0.1", "coarse": "clip", "split": "clip", "folds": "published 15"}.items()
    assert f"Banks: {SETTING.bank} (esc50, clap)" in section


@pytest.mark.parametrize(("row", "column"), [*itertools.product(("full", "audio-only"), COLUMNS)])
def test_the_csv_has_the_exact_cells(folder, row, column) -> None:
    lines = [line.split(",") for line in (folder / "cells.csv").read_text().splitlines()]
    (found,) = (
        cell
        for cell in (dict(zip(lines[0], line, strict=True)) for line in lines[1:])
        if (cell["variant"], int(cell["way"]), int(cell["shot"])) == (row, *column)
    )
    kept = [correct for fold, correct in enumerate(CORRECT[row, column]) if (row, column, fold) not in FAILED]
    assert found["accuracy_percent"] == f"{100 * np.mean(kept) / 75:.4f}"
    assert int(found["finished"]) == len(kept)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        written = draw(Path(temporary))
        GOLDEN.mkdir(exist_ok=True)
        for each in FILES:
            (GOLDEN / each).write_bytes((written / each).read_bytes())

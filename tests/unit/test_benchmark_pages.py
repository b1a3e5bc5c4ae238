"""The script that measures a GPU, on the CPU against itself; sections of the page of benchmarks that stay."""

import pytest
import torch

from tests.benchmarks import gpu, sections


@pytest.mark.usefixtures("unchecked_shapes")
def test_every_job_runs_and_the_cpu_agrees_with_itself() -> None:
    rows = ("multi-grained-kernel", "lp++")
    small = gpu.Sizes(
        problems=20, clips=60, d=32, way=3, shot=2, episodes=1, rows=rows, av_diff=False, rounds=1
    )  # a step of AV-DIFF takes seconds
    lines = gpu.measured(small, "cpu")
    assert len(lines) == 5
    assert [each.endswith("0.0e+00") for each in lines["largest difference"]] == [True] * len(lines)
    assert lines[""].to_markdown() and "## On a GPU\n\nOne thread" in gpu.section(lines, "a device")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_refuses_in_a_line(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["gpu.py", str(tmp_path / "page.md")])
    assert gpu.main() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no GPU" in said
    assert not list(tmp_path.iterdir())


def test_a_section_is_replaced_and_the_others_stay(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n## First\n\ntext\n", encoding="utf-8")
    for name, text in (("a", "## A\n\none\n"), ("b", "## B\n\ntwo\n"), ("a", "## A\n\nthree\n")):
        sections.put(page, name, "command", text)
    written = page.read_text(encoding="utf-8")
    assert written.startswith("# Page\n\n## First\n\ntext\n")
    assert [written.count(each) for each in ("one", "two", "three", "## A", "`command` wrote")] == [0, 1, 1, 1, 2]
    assert sections.kept(page).startswith("<!-- section b -->")
    assert sections.kept(tmp_path / "none.md") == ""

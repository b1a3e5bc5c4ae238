"""The cheap commands and all Python of the pages for users, as they stand there, in an empty folder.

The others are only parsed, in ``tests/unit/test_pages.py``. Most of them are run, on less, elsewhere: sweeps in
``integration/test_sweep.py``, searches in ``test_search.py``, extraction in ``test_extraction.py``, sounds and the
first sweep in ``end_to_end/test_embedded.py``, the classifier's further options in ``test_own_sounds.py``, the demo in
``test_demo.py``, a cluster in ``cluster_drill.py``. Downloads and full-size models are not.
"""

import contextlib
import io
import re
import runpy
import shutil
import sys

import pytest
import soundfile

from mgcl.cli import main
from tests.generated_sounds import RATE, waveform, write_sounds
from tests.pages import PAGES, ROOT, blocks, commands

RUN = {
    "README.md": ("mgcl fit", "mgcl predict", "mgcl evaluate"),
    "data-and-backbones.md": ("python tests/generated_bank.py", "mgcl bank info", "mgcl bank export"),
    "sweeps.md": ("mgcl similarities",),
}
NAMES = {"hum": "cricket", "hiss": "surf", "siren": "gong"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The sounds that the pages name, and nothing else."""
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / ".mgcl"))
    monkeypatch.chdir(tmp_path)
    for root, first, clips in (("my-sounds", 0, 3), ("labelled-sounds", 3, 2)):
        for kind in write_sounds(tmp_path / root, tuple(NAMES), clips=clips, first=first):
            (tmp_path / root / kind).rename(tmp_path / root / NAMES[kind])
    (tmp_path / "more").mkdir()
    for name, seconds in (("clip.wav", 2.0), ("more/a.wav", 2.0), ("b.flac", 2.0), ("long.wav", 12.0)):
        soundfile.write(tmp_path / name, waveform("hum", 9, seconds), RATE)
    return tmp_path


@pytest.mark.filterwarnings("ignore::mgcl.errors.MgclWarning")
@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT / "reports" and page.name in RUN])
def test_what_is_cheap_on_it_runs(page, folder) -> None:
    chosen = [words for words in commands(page) if " ".join(words).startswith(RUN[page.name])]
    assert chosen
    for words in chosen:
        run(words)
    if page.name == "README.md":
        assert "<svg" in (folder / "why.html").read_text()


def run(words: list[str]) -> None:
    """In this process."""
    program, *rest = words
    with contextlib.redirect_stdout(io.StringIO()), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", rest)
        with pytest.raises(SystemExit) as ended:
            main(rest) if program == "mgcl" else runpy.run_path(str(ROOT / rest[0]), run_name="__main__")
    assert ended.value.code == 0, f"{' '.join(words)}: exit code {ended.value.code}"


@pytest.mark.filterwarnings("ignore::mgcl.errors.MgclWarning")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_its_python_runs(page, folder, capsys) -> None:
    generated_layout(folder / "sounds", folder / "my-sounds")
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), {"__name__": "page"})  # noqa: S102
    if "classifier.save" in page.read_text():
        assert {path.name for path in (folder / "model").iterdir()} == {"model.json", "model.safetensors"}
        assert re.search(r"^Share\(name=", capsys.readouterr().out, re.MULTILINE)


def generated_layout(root, clips) -> None:
    """The layout that `mgcl data generate` writes, with a few clips."""
    (root / "audio").mkdir(parents=True)
    (root / "meta").mkdir()
    table = ["filename,fold,target,category,esc10,src_file,take"]
    for label, files in ((each.name, sorted(each.iterdir())) for each in clips.iterdir()):
        for fold, file in enumerate(files, 1):
            shutil.copy(file, root / "audio" / file.name)
            table.append(f"{file.name},{fold},0,{label},False,{file.stem},A")
    (root / "meta" / "esc50.csv").write_text("\n".join(table))
    (root / "soundscapes.txt").write_text("evaluation 1.0.3")

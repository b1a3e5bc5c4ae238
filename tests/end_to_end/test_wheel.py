"""The built wheel as `pip install mgcl` leaves it: outside the repository, with what it declares and nothing else.

The environment's packages are those of this one, linked: exactly the wheel's requirements and theirs. So an import of
anything that is not declared fails, and no network is needed.
"""

import importlib.metadata
import json
import os
import shlex
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from packaging.requirements import Requirement

import mgcl
from tests.generated_sounds import KINDS, RATE, waveform

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    (built,) = folder.iterdir()
    return built


def installed(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel and, linked, the packages that it requires."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    install = ["pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", *install], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (about,) = importlib.metadata.distributions(name="mgcl", path=[str(packages)])
    for distribution in required(about):
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (packages / top).exists():
                (packages / top).symlink_to(distribution.locate_file(top))
    return folder / "bin"


def required(
    distribution: importlib.metadata.Distribution, extras: frozenset[str] = frozenset(), known: set[str] | None = None
) -> Iterator[importlib.metadata.Distribution]:
    """Every distribution that one requires, and that those require, without any extra that is not asked for."""
    known = set() if known is None else known
    for line in distribution.requires or ():
        each = Requirement(line)
        wanted = each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        key = f"{each.name}[{','.join(sorted(each.extras))}]"
        if wanted and key not in known:
            known.add(key)
            found = importlib.metadata.distribution(each.name)
            yield found
            yield from required(found, frozenset(each.extras), known)


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory) -> Path:
    """The environment's programs."""
    return installed(tmp_path_factory.mktemp("environment") / "bare", wheel)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for part, numbers in (("train", range(3)), ("test", range(3, 5))):
        for kind in KINDS[:3]:
            (root / part / kind).mkdir(parents=True)
            for number in numbers:
                soundfile.write(root / part / kind / f"{number}.wav", waveform(kind, number), RATE)
    return root


COMMANDS = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from mgcl.cli import main
results = []
for words in json.loads(sys.argv[1]):
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        try:
            main(words)
        except SystemExit as end:
            results.append((end.code, out.getvalue(), err.getvalue()))
print(json.dumps(results))
"""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def run(programs: Path, folder: Path, *commands: str) -> list[Done]:
    """Run commands one after another, in one process: torch takes seconds to import."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MGCL_"))}
    command = [str(programs / "python"), "-c", COMMANDS, json.dumps([shlex.split(each) for each in commands])]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [Done(*each) for each in json.loads(done.stdout)]


def test_a_classifier_and_a_bank_need_no_extra(bare, sounds, tmp_path) -> None:
    extract = f"extract --dataset folder --root {sounds / 'train'} --out"
    fit, predict, evaluate, extracted, refused = run(
        bare,
        tmp_path,
        f"fit {sounds / 'train'} --out model",
        f"predict model {sounds / 'test' / KINDS[0] / '3.wav'}",
        f"evaluate model {sounds / 'test'}",
        f"{extract} bank",
        f"{extract} other --actors 2",
    )
    assert [each.code for each in (fit, predict, evaluate, extracted)] == [0] * 4, (fit, predict, evaluate, extracted)
    assert KINDS[0] in predict.out
    chosen, where, *_ = extracted.out.splitlines()
    assert chosen.startswith("backbone: tiny")
    assert where == (
        "extracting in this process, on one CPU or GPU; on all of them needs ray: pip install 'mgcl[sweep]'"
    )
    assert "9 clips, 3 classes" in extracted.out
    assert (tmp_path / "bank" / "bank.json").is_file()
    assert (refused.code, refused.err) == (
        2,
        "error: --address, --actors and --gpus-per-actor need ray: pip install 'mgcl[sweep]'; or leave them out\n",
    )


def test_a_missing_extra_is_named_by_the_command_that_needs_it(bare, tmp_path) -> None:
    lacking = {
        "report full_grid": "mgcl report needs mlflow: pip install 'mgcl[sweep]'",
        "status full_grid": "mgcl status needs mlflow: pip install 'mgcl[sweep]'",
        "demo model --no-browser": "mgcl demo needs gradio: pip install 'mgcl[demo]'",
        "explain-classes --labels dog --model m --endpoint http://127.0.0.1:1 --out o.json": (
            "mgcl explain-classes needs openai: pip install 'mgcl[write]'"
        ),
        "sweep search": "mgcl sweep needs optuna: pip install 'mgcl[search]'",
        "sweep full_grid --plan": "a sweep needs mlflow, ray: pip install 'mgcl[sweep]'",
    }
    for done, words in zip(run(bare, tmp_path, *lacking), lacking.values(), strict=True):
        assert (done.code, done.err) == (2, f"error: {words}\n")


def test_the_sweeps_come_with_it(bare, tmp_path) -> None:
    listed, usage = run(bare, tmp_path, "sweep", "sweep full_grid --help")
    names = {line.split()[0] for line in listed.out.splitlines()}
    assert names == {file.stem for file in (ROOT / "sweeps").glob("*.py")}
    assert usage.out.startswith("usage: mgcl sweep full_grid [-h] [--bank DIR")
    command = subprocess.run([str(bare / "mgcl"), "--version"], capture_output=True, text=True, check=True)
    assert command.stdout == f"mgcl {mgcl.__version__}\n"

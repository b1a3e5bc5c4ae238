"""The README's commands that need nothing but a clone, and its links to files."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_generated_bank_and_the_report_by_the_readmes_commands(tmp_path) -> None:
    for command in ("python tests/generated_bank.py .mgcl/banks/generated", "mgcl bank info .mgcl/banks/generated"):
        assert command in README
        words = command.replace("tests/", f"{ROOT}/tests/").split()
        words[:1] = [sys.executable] if words[0] == "python" else [str(Path(sys.executable).with_name("mgcl"))]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "classes   12, 8 explanations each" in done.stdout


def test_the_classifiers_example(tmp_path) -> None:
    command = "mgcl data generate --root sounds --clips 15"
    assert command in README
    subprocess.run([str(Path(sys.executable).with_name("mgcl")), *command.split()[1:]], cwd=tmp_path, check=True)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    accuracy, support = done.stdout.splitlines()
    assert float(accuracy) > 0.8
    assert support.startswith("Share(name='sounds/audio/")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.json", "model.safetensors"}


def test_its_files_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_tree_is_the_packages() -> None:
    drawn = set(re.findall(r"^  (\w+)(?:/|\.py) ", README, flags=re.MULTILINE))
    rooms = {path.stem for path in (ROOT / "mgcl").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert drawn == rooms - {"__init__"}

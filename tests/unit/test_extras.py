"""What is installed with which extra: pyproject.toml, the table of extras, and what the package imports agree."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import mgcl
from mgcl import errors, extras
from mgcl.extras import EXTRAS, missing

PACKAGE = Path(mgcl.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
BY_OPTION = {"av": "m4a"}
"""Looked for by the decoder itself, which has another way without it."""


def names(requirements: list[str]) -> set[str]:
    """Of distributions, as in their metadata but for case and punctuation."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~!; ]", each)[0]).lower() for each in requirements}


def imported() -> dict[str, str]:
    """Every package outside the standard library that mgcl imports -> a file that does."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {module.partition(".")[0]: str(file.relative_to(PACKAGE)) for module in modules}
    return {name: file for name, file in found.items() if name not in {*sys.stdlib_module_names, "mgcl"}}


def test_every_import_is_declared_at_its_place() -> None:
    base, optional = names(PROJECT["dependencies"]), PROJECT["optional-dependencies"]
    of = packages_distributions()
    for module, file in imported().items():
        extra = {**EXTRAS, **BY_OPTION}.get(module)
        declared = base if extra is None else names(optional[extra])
        assert declared & names(of[module]), f"{file} imports {module}, which is not declared in {extra or 'the base'}"
        assert extra is None or not base & names(of[module]), module


def test_all_is_every_extra_but_the_developers() -> None:
    optional = PROJECT["optional-dependencies"]
    (everything,) = optional["all"]
    assert set(re.split(r"[\[\],]", everything)[1:-1]) == set(optional) - {"all", "dev"}
    assert set(EXTRAS.values()) | set(BY_OPTION.values()) == set(optional) - {"all", "dev"}


def test_what_is_missing_is_named_with_its_extra(monkeypatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    assert missing("mlflow.entities", "ray") == "mlflow, ray: pip install 'mgcl[sweep]'"
    assert missing("optuna", "ray") == "optuna, ray: pip install 'mgcl[search,sweep]'"
    assert missing("numpy", "") is None


def test_a_failed_import_is_advice_only_where_an_extra_helps(monkeypatch, capsys) -> None:
    def job() -> int:
        raise ModuleNotFoundError("No module named 'gradio'", name="gradio")

    with pytest.raises(ModuleNotFoundError):  # it is installed: something else is wrong
        errors.run_and_exit(job, command="mgcl demo")
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as end:
        errors.run_and_exit(job, command="mgcl demo")
    assert (end.value.code, capsys.readouterr().err) == (
        2,
        "error: mgcl demo needs gradio: pip install 'mgcl[demo]'\n",
    )

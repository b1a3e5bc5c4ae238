"""Pages for users: every command is one that its own parser takes, every link leads somewhere."""

import re
import runpy
import tomllib
from argparse import ArgumentParser
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest

from mgcl import cli
from mgcl.search import Search, comparison
from mgcl.search import command as search
from mgcl.sweep import command as sweep
from mgcl.sweep import several
from tests.pages import PAGES, ROOT, anchors, commands, inline_commands, links, prose, words

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SHELL = {".", "export", "find", "hf"}
"""Not ours to check."""
OURS_TO_MAKE = {"sweeps/mine.py"}
ON_EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def check(command: list[str]) -> None:
    """Let a command's own parser take its words; nothing is run."""
    program, *rest = command
    if program == "mgcl":
        with patch.object(cli, "run_and_exit", side_effect=lambda *_, **__: None):
            cli.main(rest)
        if rest[0] == "sweep" and len(rest) > 1:
            check_sweep(f"sweeps/{rest[1]}.py", rest[2:])
    elif program == "python" and rest[0].startswith("sweeps/"):
        check_sweep(rest[0], rest[1:])
    elif program in ("python", "pytest"):
        assert (ROOT / rest[0]).is_file()
    elif program == "make":
        assert all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in rest)
    elif program == "pip":
        check_install(rest)
    elif program == "ray":
        check_ray(rest)
    elif program == "sbatch":
        check_sbatch(rest)
    else:
        assert program in SHELL, f"no parser for {program}"


def check_sweep(file: str, flags: list[str]) -> None:
    found = runpy.run_path(str(ROOT / file), run_name="sweep")
    if "SWEEP" in found:
        parser, asked = sweep._parser(found["SWEEP"]), found["SWEEP"]
        sweep.override(asked, parser.parse_args(flags))
    elif "SWEEPS" in found:
        several._parser(found["SWEEPS"]).parse_args(flags)
    elif found.get("main") is comparison.main:
        comparison._parser(found["SEARCH"]).parse_args(flags)
    elif "SEARCH" in found:
        asked = [each for each in found.values() if isinstance(each, Search)]
        with patch.object(search, "run_and_exit", side_effect=lambda job, _: job.args[1].parse_args(flags)):
            search.main(*asked, arguments=flags)
    elif "_parser" in found:
        found["_parser"]().parse_args(flags)
    else:
        assert not flags


def check_sbatch(words: list[str]) -> None:
    """SLURM's own options, then the file, then a command or, for an array, a file of commands."""
    options = [word for word in words if word.startswith("-")][: words.index("sweeps/slurm.sbatch")]
    script, *command = words[next(i for i, word in enumerate(words) if not word.startswith("-")) :]
    assert (ROOT / script).is_file()
    if any(option.startswith("--array=") for option in options):
        assert len(command) == 1
    else:
        check([*command, "--address", "host:1"])


def check_install(arguments: list[str]) -> None:
    assert arguments[0] == "install"
    for package in arguments[1:]:
        name, _, extras = package.rstrip("]").partition("[")
        known = set(PROJECT["optional-dependencies"]) if name in ("mgcl", ".") else set()
        assert set(filter(None, extras.split(","))) <= known, f"{package}: there are {sorted(known)}"


def check_ray(arguments: list[str]) -> None:
    """Ray's own parser takes them, and what is to be run on the cluster is taken by its own."""
    command, rest = pytest.importorskip("ray.scripts.scripts").cli, list(arguments)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        command = command.commands[name]
    given = command.make_context(name, rest).params
    if "cmd" in given:
        remote = words(given["cmd"])
    elif "script" in given:
        remote = [["python", given["script"], *given["script_args"]]]
    else:
        remote = [list(given["entrypoint"])] if "entrypoint" in given else []
    for each in remote:
        check([word.replace("~/mgcl/", "") for word in each])


@ON_EACH_PAGE
def test_its_commands_are_taken_by_their_parsers(page) -> None:
    for command in commands(page):
        try:
            check(command)
        except SystemExit as error:
            pytest.fail(f"{' '.join(command)}: exit code {error.code}")


@ON_EACH_PAGE
def test_commands_in_its_sentences_have_flags_that_there_are(page) -> None:
    """They may leave out arguments: ``mgcl predict --explain``."""
    for span in inline_commands(page):
        for program, *rest in words(span):
            if program in ("make", "pip") or (program == "python" and "NAME" not in rest[0]):
                check([program, *rest])
            elif program == "mgcl":
                check_flags(rest)


def check_flags(arguments: list[str]) -> None:
    """Of a command that may lack some of its arguments."""
    with patch.object(ArgumentParser, "parse_known_args", autospec=True, side_effect=StopIteration) as parse:
        with pytest.raises(StopIteration):
            cli.main([])
        parser = parse.call_args.args[0]
    for word in arguments:
        commands = next((each.choices for each in parser._actions if isinstance(each.choices, dict)), {})
        if word in commands:
            parser = commands[word]
        elif word.startswith("--") or commands:
            assert word in parser._option_string_actions, f"{parser.prog} has no {word}"


@ON_EACH_PAGE
def test_its_links_lead_somewhere(page) -> None:
    for link in links(page):
        url = urlsplit(link)
        if url.scheme:
            assert url.scheme == "https" and re.fullmatch(r"[\w.-]+\.\w+", url.netloc), link
            continue
        target = (page.parent / url.path).resolve() if url.path else page
        assert target.exists(), link
        if url.fragment:
            assert url.fragment in anchors(target), link


@ON_EACH_PAGE
def test_the_files_it_names_exist(page) -> None:
    named = re.findall(r"`((?:mgcl|sweeps|tests|docs)/[\w./-]+|\w+\.ya?ml)`", prose(page))
    assert [name for name in named if name not in OURS_TO_MAKE and not (ROOT / name).exists()] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_the_readme_leads_to_every_page() -> None:
    readme = ROOT / "README.md"
    linked = {(ROOT / urlsplit(link).path).resolve() for link in links(readme)}
    assert {page for page in PAGES if page.parent in (ROOT / "docs", ROOT / "reports")} <= linked


def test_the_tree_is_the_packages() -> None:
    drawn = set(re.findall(r"^  (\w+)/ ", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert drawn == {path.parent.name for path in Path(ROOT / "mgcl").glob("*/__init__.py")}

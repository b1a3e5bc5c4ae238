"""The demo as a visitor meets it: in a headless browser, where there is one, and through gradio's client."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mgcl import FewShotClassifier
from mgcl.cli import main
from tests.browsing import SECONDS, browser
from tests.commands import run_here
from tests.generated_sounds import write_sounds
from tests.integration.conftest import ROOT, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

MGCL = [sys.executable, "-c", "from mgcl.cli import main; main()"]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> dict[str, list[Path]]:
    return write_sounds(tmp_path_factory.mktemp("sounds"), clips=4)


@pytest.fixture(scope="module")
def visited(sounds, tmp_path_factory) -> Iterator[str]:
    """The address of a demo of hum and hiss, which no visitor changes."""
    folder = tmp_path_factory.mktemp("visited")
    save(folder / "model", {kind: sounds[kind][:3] for kind in ("hum", "hiss")})
    with demo(folder / "model") as address:
        yield address


@pytest.fixture
def model(sounds, tmp_path) -> Path:
    """Of hum and hiss."""
    save(tmp_path / "model", {kind: sounds[kind][:3] for kind in ("hum", "hiss")})
    return tmp_path / "model"


def save(folder: Path, clips: Mapping[str, Sequence[Path]]) -> None:
    labelled = [(path, label) for label, paths in clips.items() for path in paths]
    FewShotClassifier(method="mgcl", epochs=1).fit(*zip(*labelled, strict=True)).save(folder)


def start(model: Path, port: int) -> subprocess.Popen[str]:
    (model.parent / "temporary").mkdir(exist_ok=True)
    return subprocess.Popen(
        [*MGCL, "demo", str(model), "--no-browser", "--port", str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(model.parent / "temporary")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def demo(model: Path, ending: signal.Signals = signal.SIGINT) -> Iterator[str]:
    """Its address; it leaves as it should, and leaves nothing behind."""
    port = free_port()
    process = start(model, port)
    try:
        assert process.stdout.readline() == "opening the model ...\n"
        assert process.stdout.readline() == f"demo: http://127.0.0.1:{port}/\n", process.stderr.read()
        yield f"http://127.0.0.1:{port}/"
        process.send_signal(ending)
        _, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (0, "")
        assert list((model.parent / "temporary").iterdir()) == []
    finally:
        process.kill()
        process.communicate()


def test_a_client_is_answered_and_the_server_leaves_nothing(model, sounds, tmp_path) -> None:
    """Ended by SIGTERM, as a service is; the other demos here end by Ctrl-C."""
    from gradio_client import Client, handle_file

    with demo(model, signal.SIGTERM) as address:
        client = Client(address, verbose=False, analytics_enabled=False, download_files=str(tmp_path / "downloads"))
        answer, why = client.predict(handle_file(sounds["hum"][3]), api_name="/classify")
        assert answer["label"] == "hum"
        assert why.count("<svg") == 3
        beeps = [handle_file(path) for path in sounds["beeps"][:3]]
        learnt = client.predict("beeps", beeps, "", api_name="/add_class")
        assert learnt == "Learnt beeps from 3 clips; it is not saved yet. The classes are beeps, hiss, hum."
        assert client.predict(handle_file(sounds["beeps"][3]), api_name="/classify")[0]["label"] == "beeps"
        client.close()
    assert list(FewShotClassifier.load(model).classes_) == ["hiss", "hum"]


def test_a_taken_port_and_what_is_no_model_are_one_sentence(model, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run_here(lambda: main(["demo", str(model), "--no-browser", "--port", str(port)]))
    expected = f"error: --port {port}: cannot be used on 127.0.0.1 (Address already in use); name another\n"
    assert (said.returncode, said.stderr) == (2, expected)
    said = run_here(lambda: main(["demo", str(tmp_path / "none"), "--no-browser", "--port", str(free_port())]))
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert "a model is a folder that `mgcl fit` wrote" in said.stderr


def give(page: "Page", clip: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(clip)


def test_a_visitor_drops_a_clip_adds_a_class_and_keeps_it(model, sounds) -> None:
    with browser() as page, demo(model) as address:
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        give(page, sounds["hum"][3])
        page.get_by_role("heading", name="hum-3.wav: hum (").wait_for()
        pictures = page.locator("figure svg")
        assert pictures.count() == 3
        column = page.locator("figure").first.bounding_box()
        for number in range(2):
            seen = pictures.nth(number).bounding_box()
            assert min(seen["width"], seen["height"]) > 200
            assert seen["x"] + seen["width"] <= column["x"] + column["width"] + 1

        page.get_by_role("tab", name="Add a class").click()
        page.get_by_label("Name").fill("beeps")
        page.locator("input[type=file]").last.set_input_files(sounds["beeps"][:3])
        page.get_by_text("beeps-2").first.wait_for()
        page.get_by_role("button", name="Add", exact=True).click()
        outcome = page.get_by_label("Outcome")
        page.wait_for_function(
            "each => each.value.startsWith('Learnt beeps from 3 clips')", arg=outcome.element_handle()
        )
        assert list(FewShotClassifier.load(model).classes_) == ["hiss", "hum"]
        page.get_by_role("button", name="Keep in").click()
        page.wait_for_function("each => each.value.startsWith('Saved in ')", arg=outcome.element_handle())
        assert str(model) in outcome.input_value()
        assert list(FewShotClassifier.load(model).classes_) == ["beeps", "hiss", "hum"]

        page.get_by_role("tab", name="What is this?").click()
        page.get_by_label("Clear").first.click()
        give(page, sounds["beeps"][3])
        page.get_by_role("heading", name="beeps-3.wav: beeps (").wait_for()
        assert asked
        assert all(each.removeprefix("blob:").startswith(address) or each.startswith("data:") for each in asked)
        assert wrong == []


def test_a_text_file_is_said_to_be_none(visited, tmp_path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with browser() as page:
        page.goto(visited)
        give(page, text)
        page.get_by_role("alert").filter(has_text="text.wav: cannot be decoded, whatever its name says").wait_for()
        assert page.locator("figure").count() == 0


def test_an_odd_name_is_shown_as_it_is(sounds, tmp_path) -> None:
    odd = "${1+1} {{value}} @children <img src=x> 50$"
    save(tmp_path / "model", {odd: sounds["hum"][:3], "hiss": sounds["hiss"][:3]})
    with browser() as page, demo(tmp_path / "model") as address:
        page.goto(address)
        give(page, sounds["hum"][3])
        page.locator("figure svg").first.wait_for()
        assert page.get_by_role("heading", name="hum-3.wav").inner_text().startswith(f"hum-3.wav: {odd} (")
        assert page.get_by_test_id("label-output-value").inner_text() == odd
        assert page.locator("img").count() == 0


def test_a_visitor_records_a_clip(visited) -> None:
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as page:
        page.goto(visited)
        page.get_by_label("Record audio").click()
        page.get_by_role("button", name="Record", exact=True).click()
        page.wait_for_timeout(2500)
        page.get_by_role("button", name="Stop", exact=True).click()
        page.locator("figure svg").first.wait_for()
        assert page.locator("figure svg").count() == 3

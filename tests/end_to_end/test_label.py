"""Labelling as a person meets it: a process that is killed, and a headless browser, where there is one."""

import csv
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl import FewShotClassifier
from mgcl.cli import main
from tests.browsing import SECONDS, browser
from tests.commands import run_here
from tests.generated_sounds import RATE, waveform
from tests.integration.conftest import ROOT, free_port

MGCL = [sys.executable, "-c", "from mgcl.cli import main; main()"]
KINDS = ("hum", "beeps", "hiss", "siren", "beeps", "hum")


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    """Windows of 2 s of three recordings; those from 2 and 8 s on are beeps. The backbone is tiny."""
    folder = tmp_path_factory.mktemp("label")
    (folder / "field").mkdir()
    for number in range(3):
        samples = [waveform(kind, 10 * number + place) for place, kind in enumerate(KINDS)]
        soundfile.write(folder / "field" / f"{number}.wav", np.concatenate(samples), RATE)
    out = folder / "index"
    arguments = ["index", str(folder / "field"), "--out", str(out), "--backbone", "tiny", "--window", "2", "--hop", "2"]
    said = run_here(lambda: main(arguments))
    assert (said.returncode, said.stdout) == (0, f"{out}: 18 windows of 3 recordings, 2 s every 2 s\n")
    clips = [(waveform(kind, 50 + number), RATE) for kind in ("beeps", "hum", "hiss") for number in range(2)]
    FewShotClassifier("tiny").fit(clips, ["beeps"] * 2 + ["background"] * 4).save(folder / "begun")
    return out


@contextmanager
def labelling(index: Path, folder: Path, ending: signal.Signals = signal.SIGINT) -> Iterator[int]:
    """The port of a session of beeps; its labels and its model are in the folder."""
    port = free_port()
    flags = [
        "--model",
        str(index.parent / "begun"),
        "--labels",
        str(folder / "labels.csv"),
        "--out",
        str(folder / "model"),
    ]
    process = subprocess.Popen(
        [*MGCL, "label", str(index), *flags, "--no-browser", "--port", str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == "opening the index ...\n"
        assert process.stdout.readline() == f"label: http://127.0.0.1:{port}/\n", process.stderr.read()
        yield port
        process.send_signal(ending)
        said, errors = process.communicate(timeout=SECONDS)
        if ending == signal.SIGINT:
            assert (process.returncode, errors) == (0, "")
            assert f"{folder / 'model'}: model of background, beeps\n" in said
    finally:
        process.kill()
        process.communicate()


def ask(port: int, path: str, given: object = None) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    body = None if given is None else json.dumps(given)
    connection.request("GET" if given is None else "POST", path, body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def is_beeps(state: dict) -> bool:
    return round(state["window"]["start"]) in (2, 8)


def test_killed_at_any_moment_nothing_labelled_is_lost(index, tmp_path) -> None:
    with labelling(index, tmp_path, signal.SIGKILL) as port:
        state = ask(port, "/state")
        for _ in range(9):
            answer = "yes" if is_beeps(state) else "no"
            state = ask(port, "/answer", {"row": state["question"]["row"], "label": "beeps", "answer": answer})
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("2026-11-30T10:00:00+00:00,/half a li")  # of an answer that was never confirmed
    with labelling(index, tmp_path) as port:
        again = ask(port, "/state")
    assert {name: again[name] for name in ("labels", "tests", "counts")} == {
        name: state[name] for name in ("labels", "tests", "counts")
    }
    with (tmp_path / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] == "yes" for row in rows] == [round(float(row["onset"])) in (2, 8) for row in rows]
    assert len(rows) == 9
    model = FewShotClassifier.load(tmp_path / "model")
    assert list(model.predict([(waveform("beeps", 99), RATE), (waveform("hum", 99), RATE)])) == ["beeps", "background"]


def test_a_person_labels_with_keys(index, tmp_path) -> None:
    with browser("--autoplay-policy=no-user-gesture-required") as page, labelling(index, tmp_path) as port:
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/")
        heading = page.get_by_text("Is this beeps?")
        heading.wait_for()
        page.wait_for_function("document.getElementById('player').duration > 1.9")

        def press(key: str) -> None:
            before = ask(port, "/state")["answers"]
            page.keyboard.press(key)
            step = -1 if key == "u" else 1
            page.wait_for_function("expected => state.answers === expected && !busy", arg=before + step)

        for _ in range(10):
            press("y" if is_beeps(ask(port, "/state")) else "n")
        first = ask(port, "/state")["question"]["row"]
        press("s")
        assert ask(port, "/state")["question"]["row"] != first
        press("u")
        assert ask(port, "/state")["question"]["row"] == first
        press("0")
        page.locator("#curve svg circle").first.wait_for()
        page.get_by_text("test windows are answered rightly").wait_for()
        page.get_by_label("Windows:").select_option("random")
        page.wait_for_function("state.mode === 'random'")
        state = ask(port, "/state")
        shown = page.locator("#counts tr").all_inner_texts()
        assert [row.split() for row in shown] == [
            [name, str(state["counts"].get(name, 0))] for name in ("beeps", "background")
        ]
        page.get_by_role("button", name="skip").click()
        page.wait_for_function("expected => state.answers === expected", arg=state["answers"] + 1)
        assert page.locator("#fault").inner_text() == ""
        assert asked
        assert all(each.startswith(f"http://127.0.0.1:{port}/") for each in asked)
        assert wrong == []

"""What a person watches: counts that add up, a clock that fits, lines in a log, advice for the cause at hand."""

import io
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mgcl.cli.status import pace, trial_states
from mgcl.cluster.connect import check_folder
from mgcl.cluster.machines import Machines
from mgcl.cluster.queue import Held
from mgcl.errors import ClusterError
from mgcl.progress import SILENCE, Bar
from mgcl.records import Convergence, TrialResult
from mgcl.search.command import _parser as search_parser
from mgcl.search.command import _test
from mgcl.search.questions import Search
from mgcl.sweep.command import _parser as sweep_parser
from mgcl.sweep.estimates import Pace, time_left
from mgcl.tracking.parent import Progress
from sweeps.full_grid import SWEEP
from tests import cases
from tests.unit.test_estimates import TRAINED
from tests.unit.test_tables import RUN


def progress(*running: tuple[str, float], said: float = float("inf"), started: float = 0.0) -> Progress:
    held = [(key, f"run {key}", "host", since) for key, since in running]
    return Progress(("a", "b", "c", "d"), "host", started, said, held)


def run(key: str, status: str = "FINISHED", *, ended: float = 0.0, seconds: float | None = None):
    return replace(RUN, key=key, status=status, ended=ended, seconds=seconds)


def test_what_was_recorded_after_the_driver_spoke_is_done_and_no_longer_runs() -> None:
    """FIELD F4: "12 done, 0 failed, 2 running, -2 waiting"."""
    states = trial_states(progress(("c", 5.0), ("d", 5.0)), [run(key, ended=9.0) for key in "abcd"])
    assert states == dict.fromkeys("abcd", "done")
    states = trial_states(progress(("b", 5.0), ("c", 5.0)), [run("a"), run("b", ended=9.0)])
    assert states == {"a": "done", "b": "done", "c": "running", "d": "waiting"}


def test_a_failed_trial_that_is_tried_again_runs_and_is_not_counted_twice() -> None:
    """FIELD F4: two snapshots subtracted."""
    failures = [run("a", "FAILED", ended=3.0), run("b", "FAILED", ended=7.0)]
    states = trial_states(progress(("a", 5.0), ("b", 5.0)), failures)
    assert states == {"a": "running", "b": "failed", "c": "waiting", "d": "waiting"}


def test_nothing_runs_where_the_driver_is_gone() -> None:
    """FIELD F4: a driver that was killed said last that two trials ran."""
    assert set(trial_states(progress(("a", 1.0), said=0.0), ()).values()) == {"waiting"}


def test_two_workers_with_trials_of_thirty_seconds_are_not_done_at_once() -> None:
    """Of tqdm, #1161 and #967: 0 s left with 50 s to go, as the first outcome seemed to take no time."""
    first = time_left(30, [(30, 30)], [30] * 4, elapsed=30)
    assert first == pytest.approx(60)
    half_way = time_left(60, [(15, 30), (15, 30)], [30, 30], elapsed=45)
    assert half_way == pytest.approx(45)
    assert time_left(150, [(10, 30)], [], elapsed=85) == pytest.approx(20), "one alone, the other worker idle"
    assert time_left(0, [(0, 10), (0, 10)], [10, 10], elapsed=0) == pytest.approx(20), "known from earlier runs"
    assert time_left(3, [], [], elapsed=3) == 0


def test_a_driver_that_is_slower_than_its_workers_sets_the_pace() -> None:
    """FIELD F5: a clock that does not fit what is counted."""
    assert time_left(10, [], [1] * 10, elapsed=100) == pytest.approx(100)


def test_the_clock_starts_with_the_first_worker_and_the_time_left_with_the_first_result() -> None:
    """Of tqdm, #1161: Ray's start counted as work, then nothing did."""
    trials = [cases.changed_trial(TRAINED, seed=seed) for seed in range(3)]
    watched = Pace(trials, (), {trial.key for trial in trials})
    assert watched.seconds_left((), 1000.0) is None
    held = [Held(trial, "host", 1040.0) for trial in trials[:2]]
    assert watched.seconds_left(held, 1050.0) is None
    result = TrialResult(trials[0].key, {}, Convergence(0, 0), 20.0, "cpu", 1, "host")
    watched.end(result, 1060.0)
    assert watched.began == 1040.0
    assert watched.seconds_left(held[1:], 1060.0) == pytest.approx(20.0)
    known = Pace(trials, (run(trials[0].key, seconds=20.0),), {trial.key for trial in trials[1:]})
    assert known.seconds_left((), 1000.0) == pytest.approx(40.0), "from an earlier start's trials"


def test_status_counts_the_first_result_and_begins_with_its_trial() -> None:
    """FIELD F5: the first outcome ended the wait and was no trial of the pace."""
    recorded = [run("a", ended=1060.0, seconds=20.0), run("b", ended=1060.0, seconds=20.0)]
    words = pace(progress(started=1000.0), (), recorded, 2, now=1060.0)
    assert words == "6.0 trials a minute, about 0:00:20 left"
    assert pace(progress(started=1000.0), (), (), 4, now=1060.0) == "too early to tell the pace"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_log_has_a_line_at_the_start_one_after_each_silence_and_one_at_the_end() -> None:
    """Of tqdm, #1161: a log file with one line full of carriage returns."""
    log = io.StringIO()
    with Bar(total=4, unit="trial", file=log) as bar:
        start = bar.last_print_t
        bar._time = lambda: start + 1.0
        bar.update()
        bar.beat()
        assert log.getvalue().splitlines() == ["0/4 trials, 00:00"]
        bar._time = lambda: start + SILENCE
        bar.beat()
        bar.beat()
        assert log.getvalue().splitlines()[1].startswith("1/4 trials, ")
        assert log.getvalue().count("\n") == 2
        bar.update(3)
    assert "\r" not in log.getvalue()
    assert log.getvalue().splitlines()[2].startswith("4/4 trials, ")
    assert log.getvalue().count("\n") == 3


def test_no_silence_may_exceed_fifteen_seconds() -> None:
    """FIELD: 24 to 44 s to the first result with nothing said between; a beat comes a second late at worst."""
    assert SILENCE + 1 < 15


def test_at_eighty_columns_counts_bar_and_times_are_whole() -> None:
    """FIELD: at 80 columns the bar is one character wide."""
    screen = Terminal()
    with Bar(total=510, initial=10, unit="trial", file=screen, estimated=True) as bar:
        bar.dynamic_ncols, bar.ncols = None, 80
        start = bar.last_print_t
        bar._time = lambda: start + 35.0
        bar.n = 260
        bar.expect(50.0, began=start)
        bar.set_postfix_str("failed 0, last without-coarse-contrast 10w5s 81.2 %, without-transport 10w5s 80.9 %")
        line = str(bar)
    assert len(line) <= 80
    assert line.startswith("260/510 |█████     | ")
    assert "00:50 left, 7.1 trial/s, failed 0, last without" in line


def test_a_promise_that_has_run_out_is_not_zero_seconds() -> None:
    """Of tqdm, #1161: 0 s left with 50 s to go."""
    with Bar(total=6, unit="trial", file=io.StringIO(), estimated=True) as bar:
        start = bar.last_print_t
        assert "left" not in str(bar)
        bar.expect(30.0, began=start)
        bar._time = lambda: start + 10.0
        assert ", 00:20 left" in str(bar) or ", 00:19 left" in str(bar)
        bar._time = lambda: start + 31.0
        assert "left" not in str(bar)


def test_the_command_of_a_search_repeats_its_flags_and_the_sweep_takes_them() -> None:
    """README: the printed test command lacked --queries and --split."""
    given = (
        "--bank 'my bank' --ways 3 4 --shots 2 --queries 5 --split source --audio-only --workers 1 --gpus-per-trial 0 "
        "--address 127.0.0.1:6379 --tracking-uri sqlite:///x.db --out 'my reports' --episodes 2 --seed 4 --points 3"
    )
    search = cases.search("search", queries=9)
    flags = search_parser(search).parse_args(shlex.split(given))
    said = shlex.split(_test(search, flags, Path("my reports/params.json"), flags.banks))
    assert said[:3] == ["mgcl", "sweep", "full_grid"]
    taken = sweep_parser(SWEEP).parse_args(said[3:])
    for name in (
        "banks",
        "ways",
        "shots",
        "queries",
        "split",
        "audio_only",
        "workers",
        "address",
        "tracking_uri",
        "out",
    ):
        assert getattr(taken, name) == getattr(flags, name), name
    assert taken.gpus_per_trial == 0
    assert taken.params == ["my reports/params.json"]
    assert taken.episodes == SWEEP.draws.episodes, "a batch's episodes are not a trial's"


SEARCH = cases.search("search")


def printed(given: str, search: Search = SEARCH) -> str:
    flags = search_parser(search).parse_args(shlex.split(given))
    return _test(search, flags, Path("p.json"), flags.banks)


def test_what_the_search_file_itself_says_is_repeated_too_and_folds_are_the_params() -> None:
    """README: a printed command that drops flags; --params refuses to be told the folds twice."""
    assert "--queries 9" in printed("", cases.search("search", queries=9))
    assert "--queries 15" in printed(""), "a sweep may have others"
    assert "fold" not in printed("--folds 2 --fold-classes 5")
    assert "--protocol" not in printed("--protocol mgcl")


def test_a_password_is_not_in_the_printed_command() -> None:
    """Of MLflow, #2282: an address with its password."""
    assert "secret" not in printed("--tracking-uri postgresql://me:secret@host/db")


def test_a_long_temporary_folder_is_named_with_advice_that_works(monkeypatch) -> None:
    """Of Ray, #7945: a TMPDIR of 117 characters was told that no cluster answers at --address None."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/" + "x" * 116)
    with pytest.raises(ClusterError, match=r"not 121: set RAY_TMPDIR=/tmp, .*it goes before TMPDIR") as caught:
        check_folder(Path("/" + "x" * 116 + "/ray"))
    assert "--address" not in str(caught.value)


def test_a_folder_in_the_way_of_rays_sockets_is_named(monkeypatch) -> None:
    """Of verl, #1120: a folder of sockets that cannot be written."""
    monkeypatch.chdir("/proc")  # nobody can write there, not even root
    with pytest.raises(ClusterError, match=r"^ray: Ray opens sockets in this folder, and nothing can be written there"):
        check_folder(Path("ray"))


@pytest.mark.parametrize("address", ["nonsense", "host:port", "host:99999", ":6379", "ray://127.0.0.1:9"])
def test_an_address_that_is_none_is_refused_before_anything_is_made(address: str) -> None:
    """Of Ray, #7724: one error's advice for another's cause."""
    with pytest.raises(ClusterError, match=rf"^`address` {address}: no Ray cluster answers"):
        Machines(address)
    assert Machines("auto").address == "auto"
    assert Machines("127.0.0.1:6379").address == "127.0.0.1:6379"


def test_items_are_counted_once_whenever_the_clock_prints(monkeypatch) -> None:
    monkeypatch.setattr("mgcl.progress.SILENCE", 0.01)
    bar = Bar(range(5), file=io.StringIO())
    for item in bar:
        time.sleep(0.02)
        bar.beat()
        assert bar.n == item, "the items before this one"
    assert bar.n == 5


PRINTS = "import sys; from mgcl.errors import run_and_exit\ndef job():\n    {}\n    return 0\nrun_and_exit(job)"


def python(job: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRINTS.format(job)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_locale_without_a_plus_minus_sign_is_no_traceback() -> None:
    """FIELD: PYTHONIOENCODING=ascii: a traceback at the table."""
    process = python('print("89.1 ± 0.2")', PYTHONIOENCODING="ascii")
    assert process.communicate() == ("89.1 \\xb1 0.2\n", "")
    assert process.returncode == 0


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_told_to_end_says_stopped(sign: signal.Signals) -> None:
    """FIELD: SIGTERM prints Ray's C++ line only."""
    before = signal.signal(sign, signal.SIG_DFL)  # the tests may run under nohup, which their children would inherit
    try:
        process = python("import time; print('ready'); time.sleep(60)")
    finally:
        signal.signal(sign, before)
    assert process.stdout.readline() == "ready\n", "a pipe gets each line at once"
    process.send_signal(sign)
    assert process.communicate() == ("", "stopped\n")
    assert process.returncode == 130


def test_a_command_under_nohup_goes_on() -> None:
    """FIELD: what ends a command must not end one whose owner asked for the contrary."""
    ignore = "import os, signal; os.kill(os.getpid(), signal.SIGHUP); print('went on')"
    command = [sys.executable, "-c", PRINTS.format(ignore)]
    done = subprocess.run(["nohup", *command], capture_output=True, text=True, check=False)
    assert "went on" in done.stdout

"""What a report says of chance, and of what its rows took: numbers beside the scores, and searches."""

from dataclasses import replace

from mgcl.records import NO_TRANSPORT, Searched, Setting, TrialRun
from mgcl.reporting import chance, facts
from mgcl.reporting.blocks import markdown
from mgcl.reporting.tables import Table, build
from mgcl.tasks import generalised

SETTING = Setting(
    "generalised", generalised.VERSION, "d", "b", "e" * 64, (("draws", 2), ("base_classes", 3), ("novel_classes", 2))
)
LEVELS = {"av-diff": 0.6, "mbt": 0.205, "tcaf": 0.15}
"""Row -> recall; chance is 0.2."""


def run(row: str, seed: int, level: float | None = None, **given) -> TrialRun:
    own = row.partition(" (")[0]
    level = level or LEVELS[own]
    scores = dict.fromkeys(("base", "novel", "fsl", "hm of a draw"), (level + 0.01, level - 0.01))
    name, searched = f"{row}-{seed}", {} if row == own else {row: own}
    return TrialRun(
        name, name, "FINISHED", SETTING, (row,), (5,), (seed,), "tsl", 1, {}, scores, NO_TRANSPORT, "cpu", "",
        searched=searched, **given,
    )  # fmt: skip


def table(*runs: TrialRun) -> Table:
    return next(each for each in build(runs) if each.ranked)


def searched(row: str, points: int) -> list[TrialRun]:
    name = f"{row} (searched {points:06})"
    return [run(name, seed, searches={name: Searched(points, ("depth", "learning_rate"))}) for seed in (0, 1)]


def own(*rows: str, **given) -> list[TrialRun]:
    return [run(row, seed, **given) for row in rows for seed in (0, 1)]


def test_rows_that_do_not_beat_chance_are_named() -> None:
    varied = [run(row, seed, LEVELS[row] + 0.01 * seed) for row in LEVELS for seed in (0, 1)]
    (line,) = chance.blocks(table(*varied))
    assert line == "5-shot: chance is 20.00 %; **not beaten beyond the interval by mbt, tcaf**."
    (line,) = chance.blocks(table(*own("av-diff")))
    assert line == "5-shot: chance is 20.00 %; the interval of every row lies beyond it."
    alone = run("av-diff", 0)
    (line,) = chance.blocks(table(replace(alone, scores=dict.fromkeys(alone.scores, (0.6,)))))
    assert line == "5-shot: chance is 20.00 %; no interval: av-diff."


def test_older_runs_have_no_facts_but_one_can_see_that_nothing_was_searched() -> None:
    assert facts.blocks(table(*own("av-diff"))) == []
    took = {"parameters": 1234.0, "training seconds": 2.5}
    text = markdown(facts.blocks(table(*own("av-diff", facts=took), *own("mbt"))))
    cells = {line.split("|")[1].strip(): [each.strip() for each in line.split("|")[2:-1]] for line in text.splitlines()
             if line.startswith("|")}  # fmt: skip
    assert cells["variant"] == ["parameters", "search"]
    assert cells["av-diff"] == ["1,234", "none"]
    assert cells["mbt"] == ["", "none"]
    assert "facts.csv also has training seconds: of both stages" in text
    (row,) = facts.csv_rows(table(*own("av-diff", facts=took), *own("mbt")))
    assert (row["variant"], row["parameters"], row["training seconds"]) == ("av-diff", 1234, 2.5)
    assert text.endswith("No row was searched: all have default values.")


def test_it_says_whether_the_searches_were_alike() -> None:
    rows = own("av-diff", "mbt")
    alike = facts.blocks(table(*rows, *searched("av-diff", 12), *searched("mbt", 12)))[-1]
    assert alike == "Every searched row is the best of 12 points."
    lacking = facts.blocks(table(*rows, *own("tcaf"), *searched("av-diff", 12), *searched("mbt", 12)))[-1]
    assert lacking.startswith("Every searched row is the best of 12 points; not searched: tcaf. A difference between")
    text = markdown(facts.blocks(table(*rows, *searched("av-diff", 12), *searched("mbt", 8))))
    assert "Searches differ in their points (av-diff (searched 000012): 12, mbt (searched 000008): 8)" in text
    assert "12 points of depth, learning_rate" in text

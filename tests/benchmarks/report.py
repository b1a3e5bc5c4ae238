"""The benchmarks' figures as a page: every time beside what it is compared to, as a ratio.

python tests/benchmarks/report.py BENCHMARKS.json REPORT.md
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd

HEAD = """# Benchmarks

`make bench` wrote this page on {date}, at commit {commit}{dirty}: {machine}.
One torch thread; the median of five rounds after a warm-up, all in one run. These machines are noisy: compare the
ratios, not the times.
{gpu}
"""
NO_GPU = """
No GPU was to be had: the same benchmarks run on one where there is one (`mgcl cuda` beside `mgcl cpu`, with the largest
difference of the similarities), but they were not run on one here.
"""


BY_HAND = "<!-- below: measured by hand, each with its command -->"
"""Line of a page below which nothing is replaced."""


def page(run: dict, kept: str = "") -> str:
    groups = defaultdict(list)
    for each in run["benchmarks"]:
        groups[each["group"]].append(each)
    machine, commit = run["machine_info"], run["commit_info"]
    words = (
        f"{machine['cpu'].get('brand_raw', machine['machine'])}, {machine['cpu'].get('count', '?')} cores, "
        f"{machine['system']}, Python {machine['python_version']}"
    )
    gpu = "" if any("cuda" in each["name"] for each in run["benchmarks"]) else NO_GPU
    head = HEAD.format(
        date=run["datetime"][:10],
        commit=commit["id"][:10],
        dirty=" with changes" if commit["dirty"] else "",
        machine=words,
        gpu=gpu,
    )
    return "\n".join([head, *(section(name, each) for name, each in groups.items())]) + kept


def section(group: str, benchmarks: list[dict]) -> str:
    seconds = [each["stats"]["median"] * each["extra_info"]["scale"] for each in benchmarks]
    ours = next(time for time, each in zip(seconds, benchmarks, strict=True) if each["name"].startswith("mgcl"))
    rows = [
        {"": each["name"], "time": duration(time), "ratio to mgcl": f"{time / ours:.2f}"}
        for time, each in zip(seconds, benchmarks, strict=True)
    ]
    facts = [
        f"- {each['name']}: {name} {fact}" for each in benchmarks for name, fact in each["extra_info"]["facts"].items()
    ]
    table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return "\n".join([f"## {group[0].upper()}{group[1:]}\n", table, "", *facts, ""])


def duration(seconds: float) -> str:
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    *_, by_hand = (target.read_text(encoding="utf-8") if target.exists() else "").partition(BY_HAND)
    kept = f"\n{BY_HAND}{by_hand}" if by_hand else ""
    target.write_text(page(json.loads(source.read_text()), kept), encoding="utf-8")
    print(f"{target}: {len(json.loads(source.read_text())['benchmarks'])} benchmarks")

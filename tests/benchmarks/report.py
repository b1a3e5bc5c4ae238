"""The benchmarks' figures as a page: every time beside what it is compared to, as a ratio.

PYTHONPATH=. python tests/benchmarks/report.py BENCHMARKS.json REPORT.md
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd

from tests.benchmarks.sections import kept

HEAD = """# Benchmarks

`make bench` wrote this page on {date}, at commit {commit}{dirty}: {machine}.
One torch thread; the median of five rounds after a warm-up, all in one run. These machines are noisy: compare the
ratios, not the times.
{gpu}
"""
NO_GPU = """
No GPU was to be had. `make bench-gpu` measures transport, store, training, closed forms and a step of AV-DIFF on one
beside the CPU, and writes its section of this page; it was not run, as there is no such section.
"""


def page(run: dict, others: str = "") -> str:
    """The page; ``others``: sections that commands of their own wrote, which stay."""
    groups = defaultdict(list)
    for each in run["benchmarks"]:
        groups[each["group"]].append(each)
    machine, commit = run["machine_info"], run["commit_info"]
    words = (
        f"{machine['cpu'].get('brand_raw', machine['machine'])}, {machine['cpu'].get('count', '?')} cores, "
        f"{machine['system']}, Python {machine['python_version']}"
    )
    gpu = "" if "<!-- section gpu -->" in others else NO_GPU
    head = HEAD.format(
        date=run["datetime"][:10],
        commit=commit["id"][:10],
        dirty=" with changes" if commit["dirty"] else "",
        machine=words,
        gpu=gpu,
    )
    return "\n".join([head, *(section(name, each) for name, each in groups.items()), others])


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
    target.write_text(page(json.loads(source.read_text()), kept(target)), encoding="utf-8")
    print(f"{target}: {len(json.loads(source.read_text())['benchmarks'])} benchmarks")

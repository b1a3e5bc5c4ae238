"""Notes under a table: what its numbers and intervals are, and which trials failed."""

from mgcl.methods.resolved import on_audio_alone
from mgcl.overlaps import overlaps
from mgcl.records import NO_TRANSPORT
from mgcl.reporting.tables import Table


def interval(table: Table, kind: str = "") -> str:
    """Describe the intervals of a table in words.

    Args:
        table: the table.
        kind: "t" or "bootstrap", of an interval over the units of one block; empty: the kind of the table's metric.
    """
    unit, block = table.task.WORDS.unit, table.task.WORDS.block
    if table.blocks > 1:
        return f"95 % t interval over the means of {table.blocks} {block}s"
    names = {"t": "95 % t interval", "bootstrap": "95 % bootstrap interval (half its width)"}
    where = f"{unit}s of the one {block}" if block else f"{unit}s"
    return f"{names[kind or table.metric.interval]} over the {where}"


def caption(table: Table) -> list[str]:
    """Lines of the caption: what the numbers are, on which data, and their caveats; one or two sentences per line."""
    setting, runs, words = table.setting, table.runs, table.task.WORDS
    over = (
        f". {words.blocks_caveat}"
        if table.blocks > 1
        else f": it covers {words.chance or f'the draw of {words.unit}s'} only."
    )
    name = table.metric.name.capitalize() if table.metric.name.islower() else table.metric.name
    figure = "value" if table.metric.summary else "mean"
    what = f"over all {words.unit}s" if table.metric.summary and table.blocks < 2 else "mean"
    pooled = {each: sorted({run.pooled[index] for run in runs}) for index, each in enumerate(table.task.POOLED)}
    lines = [
        f"{name}{f' in {table.metric.symbol}' if table.metric.symbol else ''}: {what} ± {interval(table)}{over}",
        table.task.caption(dict(setting.drawn), pooled),
        f"Data set {setting.dataset}, backbone {setting.backbone}, bank {setting.bank[:16]}.",
    ]
    lines += [f"Overlap: {each}." for each in overlaps(setting.backbone, setting.dataset)]
    if any(table.is_best(row, column) for row, column in table.entries):
        which = "highest" if table.metric.higher_is_better else "lowest"
        lines[0] += f" Bold: the {which} {figure} of a column, of cells that lack no trial."
    shares = [run.captions_naming_class for run in runs if run.captions_naming_class is not None]
    if shares:
        lines.append(f"{100 * max(shares):.1f} % of the captions contain a word of their class's name.")
    if any(on_audio_alone([run.searched.get(each, each) for each in run.variants], run.parameters) for run in runs):
        lines.append("The bank has no captions: rows that read them ran on audio alone (--audio-only).")
    devices = sorted({run.device for run in runs} - {""})
    if len(devices) > 1:
        lines.append(f"Devices are mixed ({', '.join(devices)}){words.devices_caveat}.")
    convergence = sum((run.convergence for run in runs), start=NO_TRANSPORT)
    if convergence.unconverged:
        lines.append(
            f"{convergence.unconverged:,} of {convergence.problems:,} transport problems missed their tolerance; "
            "cells.csv says where."
        )
    return lines


def failures(table: Table) -> list[str]:
    """One line per failed trial, with the first line of its error."""
    failed = [run for run in sorted(table.runs, key=lambda run: run.key) if run.status == "FAILED"]
    return [f"Failed: trial {run.key} ({', '.join(run.variants)}): {run.error.splitlines()[0]}" for run in failed]

"""A report as one self-contained html file."""

import re
from collections.abc import Sequence

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from mgcl.reporting.blocks import Block, plain
from mgcl.reporting.figure import Figure


def html(name: str, blocks: Sequence[Block], figures: Sequence[Figure], cells: pd.DataFrame) -> str:
    """Render the page of a report.

    Args:
        name: name of the sweep.
        blocks: blocks of the report, without its figures; html in their text is escaped.
        figures: pictures, embedded as svg.
        cells: the columns of ``cells.csv`` that the page lists.
    """
    render = MarkdownIt("commonmark", {"html": False}).render
    first, *others = cells.columns
    lines = ((str(each), list(map(str, rest))) for each, *rest in cells.to_numpy())
    return (
        templates()
        .get_template("page.html")
        .render(
            name=name,
            blocks=[render(each) if isinstance(each, str) else each for each in blocks],
            figures=[(figure.caption, inline(figure)) for figure in figures],
            cells=plain(first, others, lines),
        )
    )


def templates(*packages: str) -> Environment:
    """Template environment of the given packages and of ``mgcl.reporting``, whose ``base.html`` they share."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in (*packages, "mgcl.reporting")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline(figure: Figure) -> str:
    """Svg element of a figure; its ids get the figure's name as a prefix, so that no two figures of a page clash."""
    element = figure.svg[figure.svg.index("<svg") :]
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{figure.name}-", element)

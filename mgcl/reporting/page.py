"""A report as one html file: nothing in it is fetched from elsewhere."""

import re
from collections.abc import Sequence

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from mgcl.reporting.blocks import Block, plain
from mgcl.reporting.figure import Figure


def html(name: str, blocks: Sequence[Block], figures: Sequence[Figure], cells: pd.DataFrame) -> str:
    """The page.

    Args:
        name: of the sweep.
        blocks: of the report, without its figures; html in them is shown as it is written.
        figures: drawn into the page.
        cells: of ``cells.csv`` what is listed.
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
    """Of these packages, and those of reports, which they share: ``base.html`` and ``pieces.html``."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in (*packages, "mgcl.reporting")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline(figure: Figure) -> str:
    """A figure's svg element, its ids under the figure's name: two of them in a page do not clash."""
    element = figure.svg[figure.svg.index("<svg") :]
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{figure.name}-", element)

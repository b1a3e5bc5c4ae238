"""A report as one html file: nothing in it is fetched from elsewhere."""

import re
from collections.abc import Sequence
from importlib.resources import files

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt

from mgcl.reporting.figure import Figure

_KEYS = ["bank", "split", "variant", "way", "shot", "finished", "failed", "trial_keys"]


def html(name: str, text: str, figures: Sequence[Figure], cells: pd.DataFrame) -> str:
    """The page.

    Args:
        name: of the sweep.
        text: the report in GitHub's markdown, without its figures; html in it is shown as it is written.
        figures: drawn into the page.
        cells: ``cells.csv``, whose trial keys are listed.
    """
    template = files("mgcl.reporting").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        name=name,
        body=MarkdownIt("commonmark", {"html": False}).enable("table").render(text),
        figures=[(figure.caption, inline(figure)) for figure in figures],
        columns=_KEYS,
        cells=[[str(value) for value in line] for line in cells[_KEYS].to_numpy()],
    )


def inline(figure: Figure) -> str:
    """A figure's svg element, its ids under the figure's name: two of them in a page do not clash."""
    element = figure.svg[figure.svg.index("<svg") :]
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{figure.name}-", element)

"""A report's page: its tables' markup, and figures beside others."""

import re

import pandas as pd

from mgcl.reporting.blocks import Shown, grid
from mgcl.reporting.figure import Figure
from mgcl.reporting.page import html, inline

GROUPS = [("A & B", ["low", "<i>"]), ("Empty", []), ("Rest", ["high"])]
CELLS = {
    "low": [Shown("9.50 ± 1", verdict="worse")],
    "<i>": [Shown("not run")],
    "high": [Shown("80.00", best=True, verdict="better")],
}


def test_ids_and_what_refers_to_them_get_the_figures_name() -> None:
    element = '<svg id="{0}s"><clipPath id="{0}c"/><g clip-path="url(#{0}c)"/><use xlink:href="#{0}c"/></svg>'
    figure = Figure("forest", "", f'<?xml version="1.0"?>\n<!DOCTYPE svg>\n{element.format("")}', b"")
    assert inline(figure) == element.format("forest-")


def page(groups=GROUPS, cells=CELLS) -> str:
    keys = pd.DataFrame({"bank": ["b"], "variant": ["low"], "trial_keys": ["k"]})
    return html("s", ["# s", grid("variant", ["5-way <1>"], groups, cells, "low")], (), keys)


def test_heads_are_buttons_and_groups_are_bodies_with_a_heading() -> None:
    table = page().split("<table", 2)[1]
    heads = re.findall(r'<th scope="col"><button type="button">(.*?)</button></th>', table)
    assert heads == ["variant", "5-way &lt;1&gt;"]
    assert re.findall(r'<tr class="group"><th scope="rowgroup" colspan="2">(.*?)</th></tr>', table) == [
        "A &amp; B",
        "Rest",
    ]
    assert re.findall(r"<tr><td>(.*?)</td>", table) == ["low", "&lt;i&gt;", "high"]
    assert table.count("<tbody>") == table.count("</tbody>") == 2


def test_verdicts_are_marked_by_more_than_a_colour_and_explained() -> None:
    text = page()
    assert '<td class="worse">9.50 ± 1 <span role="img" aria-label="worse">▼</span></td>' in text
    assert '<td class="better"><strong>80.00</strong> <span role="img" aria-label="better">▲</span></td>' in text
    assert "<td>not run</td>" in text
    assert '<p class="legend">▲ better, ▼ worse than low: ' in text


def test_one_group_has_no_heading_and_no_verdict_no_legend() -> None:
    text = page([("Only", ["low"])], {"low": [Shown("1")]})
    assert 'class="group"' not in text
    assert 'class="legend"' not in text

"""A figure's svg in a page with others."""

from mgcl.reporting.figure import Figure
from mgcl.reporting.page import inline


def test_ids_and_what_refers_to_them_get_the_figures_name() -> None:
    element = '<svg id="{0}s"><clipPath id="{0}c"/><g clip-path="url(#{0}c)"/><use xlink:href="#{0}c"/></svg>'
    figure = Figure("forest", "", f'<?xml version="1.0"?>\n<!DOCTYPE svg>\n{element.format("")}', b"")
    assert inline(figure) == element.format("forest-")

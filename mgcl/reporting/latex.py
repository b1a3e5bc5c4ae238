"""Tables as LaTeX, ruled by booktabs."""

from collections.abc import Sequence

from mgcl.reporting.blocks import Grid, Line
from mgcl.reporting.notes import caption, failures
from mgcl.reporting.printing import means
from mgcl.reporting.tables import Table

_SPECIAL = str.maketrans(
    {each: f"\\{each}" for each in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def latex(tables: Sequence[Table]) -> str:
    """Render one ``table`` environment per table, no wider than the text.

    Groups are separated by rules, and the best of a column is bold. The LaTeX needs the packages adjustbox and
    booktabs. Failed trials become comments.
    """
    return "% \\usepackage{adjustbox,booktabs}\n" + "".join(map(_environment, tables))


def _environment(table: Table) -> str:
    lines = [
        "",
        *(f"% {line}" for line in failures(table)),
        r"\begin{table}[tb]",
        r"\centering",
        rf"\caption{{{_escaped(' '.join(caption(table)))}}}",
        r"\medskip",
        r"\begin{adjustbox}{max width=\linewidth}",
        *_tabular(means(table, {}, "")),
        r"\end{adjustbox}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines).replace("±", r"$\pm$")


def _tabular(grid: Grid) -> list[str]:
    columns = 1 + len(grid.heads)
    lines = [rf"\begin{{tabular}}{{{'l' * columns}}}", r"\toprule", _row("", *map(_escaped, grid.heads))]
    for heading, rows in grid.groups:
        lines.append(r"\midrule")
        if heading:
            lines.append(rf"\multicolumn{{{columns}}}{{l}}{{\emph{{{_escaped(heading)}}}}} \\")
        lines += map(_line, rows)
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _line(line: Line) -> str:
    texts = (rf"\textbf{{{_escaped(each.text)}}}" if each.best else _escaped(each.text) for each in line.cells)
    return _row(_escaped(line.name), *texts)


def _row(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _escaped(text: str) -> str:
    return text.translate(_SPECIAL)

"""Tables as LaTeX, ruled by booktabs. pandas writes it."""

from collections.abc import Sequence

from mgcl.reporting.tables import Table, caption, frame

_SPECIAL = str.maketrans(
    {each: f"\\{each}" for each in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def latex(tables: Sequence[Table]) -> str:
    """A ``table`` environment a setting, the best of each column in bold; asks for booktabs and UTF-8."""
    return "% \\usepackage{booktabs}\n" + "\n".join(map(_environment, tables))


def _environment(table: Table) -> str:
    text = frame(table, best=r"\textbf{{{}}}").rename(index=_escaped).rename_axis(index=None)
    return str(text.to_latex(escape=False, position="tb", caption=_escaped(" ".join(caption(table)))))


def _escaped(text: str) -> str:
    return text.translate(_SPECIAL)

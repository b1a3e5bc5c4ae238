"""Tables as LaTeX, ruled by booktabs. pandas writes it."""

from collections.abc import Sequence

from mgcl.reporting.notes import caption, failures
from mgcl.reporting.printing import frame
from mgcl.reporting.tables import Table

_SPECIAL = str.maketrans(
    {each: f"\\{each}" for each in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def latex(tables: Sequence[Table]) -> str:
    """A ``table`` environment a setting, no wider than the text, the best of each column in bold.

    It asks for adjustbox and booktabs; failed trials are comments.
    """
    return "% \\usepackage{adjustbox,booktabs}\n" + "".join(map(_environment, tables))


def _environment(table: Table) -> str:
    text = frame(table, best=r"\textbf{{{}}}").rename(index=_escaped).rename_axis(index=None)
    lines = [
        "",
        *(f"% {line}" for line in failures(table)),
        r"\begin{table}[tb]",
        r"\centering",
        rf"\caption{{{_escaped(' '.join(caption(table)))}}}",
        r"\medskip",
        r"\begin{adjustbox}{max width=\linewidth}",
        text.to_latex(escape=False).strip(),
        r"\end{adjustbox}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines).replace("±", r"$\pm$")


def _escaped(text: str) -> str:
    return text.translate(_SPECIAL)

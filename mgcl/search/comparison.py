"""Command line that compares the samplers, on replays of a regressor fitted to a design and on one live study each."""

import argparse
import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import matplotlib as mpl
import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from mgcl.errors import flag_names, run_and_exit
from mgcl.features import FeatureBank
from mgcl.progress import Bar
from mgcl.reporting.drawing import palette
from mgcl.reporting.report import prepare
from mgcl.reporting.statistics import t_interval
from mgcl.search.flags import add_points_flag
from mgcl.search.questions import Question, Search, questions
from mgcl.search.replay import Surrogate, best_so_far, design, running_best
from mgcl.search.sampling import SAMPLERS
from mgcl.search.study import complete, default_storage, ended, figure_of, open_study
from mgcl.sweep.flags import (
    MACHINE_FLAGS,
    add_bank_flags,
    add_draw_flags,
    add_machine_flags,
    machines,
    one_bank,
    override,
)
from mgcl.tasks import Metric

if TYPE_CHECKING:
    from mgcl.cluster.connect import Cluster

Curves = Mapping[str, NDArray[np.float64]]


def main(search: Search, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, compare the samplers, and exit with 0, 2 on bad input, or 130 after Ctrl-C."""
    run_and_exit(functools.partial(_main, search, arguments), flag_names(_parser(search)) | MACHINE_FLAGS)


def _main(search: Search, arguments: Sequence[str] | None) -> int:
    from mgcl.cluster.connect import cluster

    flags = _parser(search).parse_args(arguments)
    search = replace(override(search, flags), stopping=False)
    location, bank = one_bank(search.banks)
    header, metric = bank.header, questions(search, bank)[0].metric
    folder = prepare(f"{search.name}/{header.dataset}-{header.backbone}", Path(flags.out))
    storage = flags.study or default_storage()
    with cluster(machines(flags), cpus=flags.workers or cpu_count()) as there:
        run = functools.partial(_run, bank=bank, storage=storage, location=location, there=there)
        spread = design(search.space, flags.design, search.seed)
        designed = run(replace(search, name=f"{search.name}-design", points=flags.design), given=spread)
        live = {}
        for name in SAMPLERS:
            found = run(replace(search, name=f"{search.name}-{name}", sampler=name))
            live[name] = running_best([figure_of(point) for point in found], higher_is_better=metric.higher_is_better)
    surrogate = Surrogate.fit(search.space, designed)
    replayed = {
        name: np.stack(
            [
                best_so_far(surrogate, name, seed, flags.points, higher_is_better=metric.higher_is_better)
                for seed in range(flags.seeds)
            ]
        )
        for name in SAMPLERS
    }
    picture = _draw(replayed, live, metric, folder / "samplers.png")
    page = folder / "report.md"
    page.write_text(
        _page(search, questions(search, bank)[0], flags, surrogate, replayed, live, picture), encoding="utf-8"
    )
    print(f"held-out R2 of the regressor: {surrogate.r2:.2f}\nreport: {page}")
    return 0


def _run(
    search: Search,
    *,
    bank: FeatureBank,
    storage: str,
    location: str,
    there: "Cluster",
    given: Sequence[Mapping[str, float]] = (),
) -> list[FrozenTrial]:
    """Run a search's first study and return its complete points; ``given`` points run before proposed ones."""
    from mgcl.search.schedule import run_points

    question = questions(search, bank)[0]
    with open_study(question, storage) as study:
        for point in given:
            study.enqueue_trial(dict(point), skip_if_exists=True)
        with Bar(total=search.points, initial=len(ended(study)), desc=search.name, unit="point") as bar:
            run_points(study, question, search.points, {bank.digest: location}, there, on_point=lambda _: bar.update())
        return complete(study)[: search.points]


def _page(
    search: Search,
    question: Question,
    flags: argparse.Namespace,
    surrogate: Surrogate,
    replayed: Curves,
    live: Curves,
    picture: Path,
) -> str:
    metric = question.metric
    ends = {name: t_interval(curves[:, -1].tolist()) for name, curves in replayed.items()}
    gain = t_interval((replayed["tpe"][:, -1] - replayed["random"][:, -1]).tolist())
    lines = [
        f"- {name}: {metric.text(end.mean)} ± {metric.text(end.half_width)} {metric.symbol} after {flags.points} "
        f"points replayed (95 % over {flags.seeds} seeds); "
        f"{metric.text(live[name][-1])} {metric.symbol} in one live study"
        for name, end in ends.items()
    ]
    units = question.task.WORDS.unit
    drawn = question.task.heading(question.task.place(question.batches[0][0].cell))
    batches = f"{len(question.batches)} batch{'es' if len(question.batches) > 1 else ''}"
    return "\n".join(
        [
            f"# {search.name}",
            "",
            f"{flags.design} points of a scrambled Sobol' sequence (seed {search.seed}), each judged on "
            f"{batches} of validation {units}s ({drawn}), and a Gaussian process fitted to them: "
            f"R² {surrogate.r2:.2f} on points held out, five parts of them. Each sampler then searches the process "
            f"instead of the {units}s, and once the {units}s themselves. The two sequences share their seeds, so their "
            "difference is paired.",
            "",
            *lines,
            f"- tpe minus random, replayed: {metric.text(gain.mean, '+')} ± {metric.text(gain.half_width)} points",
            "",
            f"![{picture.stem}]({picture.name})",
            "",
        ]
    )


def _draw(replayed: Curves, live: Curves, metric: Metric, file: Path) -> Path:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for (name, curves), style in zip(replayed.items(), ("-", "--"), strict=True):
        intervals = [t_interval(column.tolist()) for column in curves.T]
        mean = metric.factor * np.array([each.mean for each in intervals])
        half = metric.factor * np.array([each.half_width for each in intervals])
        x = np.arange(1, len(mean) + 1)
        (line,) = axes.plot(x, mean, style, label=f"{name}, replayed ({len(curves)} seeds, 95 %)")
        axes.fill_between(x, mean - half, mean + half, alpha=0.2, color=line.get_color())
        axes.plot(x, metric.factor * live[name], ":", color=line.get_color(), label=f"{name}, one live study")
    axes.set(xlabel="points", ylabel=f"best validation {metric.name} so far ({metric.symbol})")
    axes.legend()
    png = io.BytesIO()
    figure.savefig(png, dpi=110, bbox_inches="tight", metadata={"Software": None})
    file.write_bytes(palette(png.getvalue()))
    plt.close(figure)
    return file


def _parser(search: Search) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Compare the samplers of a search on one bank: by replay on a regressor, and once for real. "
        "Stopped, the same command goes on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_bank_flags(parser, search)
    add_draw_flags(parser, search.draws, but=("seeds",))
    parser.add_argument("--design", type=int, metavar="N", default=400, help="points that the regressor is fitted to")
    add_points_flag(parser, type=int, default=search.points, help="points per study")
    parser.add_argument("--seeds", type=int, metavar="S", default=10, help="replays a sampler")
    parser.add_argument("--study", metavar="URL", help="Optuna's database (default: sqlite, $MGCL_HOME/studies.db)")
    add_machine_flags(parser)
    return parser

"""Why `full` trails on real recordings: its training at several logit scales, on classes that a search would choose by.

python sweeps/why_full_trails.py --bank DIR [DIR ...] [--episodes 10] [--out reports]

The losses, gradients and weights are those of the method's own training; accuracies are of query clips. Every bank's
classes are the validation classes of ``sweeps/search.py --shared`` on that bank.
"""

import argparse
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy

from mgcl.catalogue import load
from mgcl.data._episodes import pool
from mgcl.errors import run_and_exit
from mgcl.features import FeatureBank
from mgcl.methods.few_shot import _training as training
from mgcl.methods.few_shot import mgcl
from mgcl.methods.few_shot._adam import adam_step
from mgcl.methods.method import ClipFeatures, Support
from mgcl.reporting.drawing import LOOKS, canvas, palette
from mgcl.reporting.report import prepare
from mgcl.sweep import Sweep
from mgcl.sweep.flags import open_banks
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import setup_of, similarity_store
from mgcl.tasks import Task, few_shot
from mgcl.tasks import _few_shot_episodes as episodes

DRAWS = few_shot.Draws(ways=(5,), shots=(1, 5), queries=15, episodes=10)
SCALES = (5.0, 10.0, 20.0, 50.0, 100.0)
SATURATED = 0.01
"""A clip is saturated if the gradient of its loss by its logits, p - y, is shorter than this."""


def _main(arguments: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    draws = replace(DRAWS, episodes=arguments.episodes)
    folder = prepare("why_full_trails", Path(arguments.out))
    found = pd.DataFrame(
        row for bank in open_banks(arguments.bank).values() for shot in DRAWS.shots for row in _rows(bank, draws, shot)
    )
    found.to_csv(folder / "epochs.csv", index=False, float_format="%.5g")
    means = found.groupby(["bank", "shot", "scale", "epoch"], sort=False).mean(numeric_only=True).reset_index()
    ends = means[means.epoch == means.epoch.max()]
    table = pd.DataFrame(
        {
            "bank": ends.bank,
            "shot": ends.shot,
            "logit scale": ends.scale,
            "loss, first step": means[means.epoch == 0].loss.to_numpy(),
            "loss, last step": ends.loss,
            "clips saturated at first, %": 100 * means[means.epoch == 0].saturated.to_numpy(),
            "clips saturated at last, %": 100 * ends.saturated,
            "clips that the gradient is of": means[means.epoch == 0].clips.to_numpy(),
            "weights moved by, %": 100 * ends.moved,
            "fused clips turned by, degrees": ends.turned,
            "accuracy before, %": 100 * ends.before,
            "accuracy after, %": 100 * ends.accuracy,
        }
    )
    _draw(means, folder / "why.png")
    command = f"python sweeps/why_full_trails.py --bank DIR ... --episodes {draws.episodes}"
    text = table.to_markdown(index=False, floatfmt=".2f")
    (folder / "report.md").write_text(f"# Why full trails\n\n    {command}\n\n{text}\n\n![why](why.png)\n", "utf-8")
    print(text)
    return 0


def _rows(bank: FeatureBank, draws: few_shot.Draws, shot: int) -> Iterator[dict[str, object]]:
    """One row per logit scale, episode and step."""
    draws = replace(draws, shots=(shot,))
    problem = few_shot.problems(draws, bank, shared=True)[0]
    (planned,) = plan(Sweep("why", draws, ("full",)), bank, only=(problem.validation,))
    task: Task = load("task", draws.task)
    setup = setup_of(planned.trial, task, bank, "cpu", similarity_store(bank))
    for index in range(draws.episodes):
        episode = episodes._draw(setup, pool(bank.clip_records), index)
        support, query = episodes._support(setup, [episode]), episodes._clips(setup, [episode.query])
        for scale in SCALES:
            place = {"bank": f"{bank.header.dataset}, {bank.header.backbone}", "shot": shot, "scale": scale}
            parameters = replace(setup.parameters, logit_scale=scale)
            for row in _trained(support, query, parameters, draws.queries):
                yield {**place, "episode": index, **row}


def _trained(
    support: Support, query: ClipFeatures, parameters: mgcl.Parameters, queries: int
) -> list[dict[str, float]]:
    """Train as the method does; one row per step, with the state before it and, in the last, what came of it."""
    fitted = mgcl.fit(support, replace(parameters, epochs=0))
    truth = torch.arange(support.prompts.shape[-2]).repeat_interleave(queries)
    start = [each.clone() for each in fitted.adapters]
    fused, before = mgcl._fused_clips(fitted, query), _accuracy(fitted, query, truth)
    rows: list[dict[str, float]] = []

    def logits() -> Tensor:
        now = mgcl.predict(fitted, support.clips).logits
        rows.append({"epoch": len(rows), **_state(now.detach(), support.labels)})
        return now

    training.descend(
        logits,
        support.labels,
        fitted.adapters,
        optimiser=lambda weights: adam_step(weights, parameters.learning_rate),
        epochs=parameters.epochs,
    )
    moved = [torch.dist(a, b) / b.norm() for a, b in zip(fitted.adapters, start, strict=True)]
    cosine = cosine_similarity(mgcl._fused_clips(fitted, query), fused, dim=-1).clamp(-1, 1)
    rows[-1] |= {
        "moved": float(torch.stack(moved).mean()),
        "turned": float(cosine.arccos().rad2deg().mean()),
        "before": before,
        "accuracy": _accuracy(fitted, query, truth),
    }
    return rows


def _state(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss; share of saturated clips; number of clips that the gradient is of, (Σ|g|)² / Σ|g|² with g = p - y."""
    logits = logits[0]
    wrong = logits.softmax(-1)
    wrong[torch.arange(len(labels)), labels] -= 1
    lengths = wrong.norm(dim=-1).double()
    return {
        "loss": float(cross_entropy(logits, labels)),
        "saturated": float((lengths < SATURATED).double().mean()),
        "gradient": float(lengths.mean()),
        "clips": float(lengths.sum().square() / lengths.square().sum().clamp_min(1e-300)),
    }


def _accuracy(fitted: mgcl.Fitted, query: ClipFeatures, truth: Tensor) -> float:
    return float((mgcl.predict(fitted, query).logits[0].argmax(-1) == truth).double().mean())


def _draw(means: pd.DataFrame, file: Path) -> None:
    banks = list(dict.fromkeys(means.bank))
    last, first = means[means.epoch == means.epoch.max()], means[means.epoch == 0]
    figure = canvas(11, 3.2 * len(banks))
    for axes, bank in zip(figure.subplots(len(banks), 3, squeeze=False), banks, strict=True):
        curves = means[(means.bank == bank) & (means.shot == max(DRAWS.shots))]
        for look, scale in zip(LOOKS, SCALES, strict=False):
            loss = curves[curves.scale == scale].loss.to_numpy()
            axes[0].plot(np.arange(len(loss)), loss, color=look.color, linestyle=look.linestyle, label=f"{scale:g}")
        axes[0].set(xlabel="step", ylabel="training loss", yscale="log", title=f"{bank}, 5-shot")
        axes[0].legend(title="logit scale", fontsize="small")
        for look, shot in zip(LOOKS, DRAWS.shots, strict=False):
            rows = [each[(each.bank == bank) & (each.shot == shot)] for each in (first, last)]
            style = {"color": look.color, "marker": look.marker, "label": f"{shot}-shot"}
            for each, dashes, when in zip(rows, (":", "-"), ("first", "last"), strict=True):
                axes[1].plot(each.scale, each.gradient, dashes, **style | {"label": f"{shot}-shot, {when} step"})
            axes[2].plot(rows[1].scale, 100 * rows[1].before, ":", **style | {"label": f"{shot}-shot, before"})
            axes[2].plot(rows[1].scale, 100 * rows[1].accuracy, "-", **style | {"label": f"{shot}-shot, after"})
        axes[1].set(xlabel="logit scale", ylabel="mean |p - y| of a clip", xscale="log", yscale="log")
        axes[2].set(xlabel="logit scale", ylabel="accuracy of queries (%)", xscale="log")
        for panel in axes[1:]:
            panel.legend(fontsize="small")
    figure.savefig(file, dpi=80, metadata={"Software": None})
    file.write_bytes(palette(file.read_bytes()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", nargs="+", required=True, metavar="DIR", help="feature banks")
    parser.add_argument("--episodes", type=int, metavar="E", default=DRAWS.episodes, help="episodes per bank and shot")
    parser.add_argument("--out", metavar="DIR", default="reports", help="where the report's folder goes")
    return parser


if __name__ == "__main__":
    run_and_exit(functools.partial(_main, _parser().parse_args()), {})

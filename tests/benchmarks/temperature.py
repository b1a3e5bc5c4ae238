"""What τ the probabilities of a classifier need before any clip of its classes was seen, on development classes.

python tests/benchmarks/temperature.py [--methods NAME ...] [--bank DIR ...] [--episodes 30]

Without --bank: the soundscapes' development classes through ``tiny``. Of another bank the classes are those that
``sweeps/search.py --shared`` would choose by.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax
from tabulate import tabulate

from mgcl.backbones import tiny
from mgcl.classifier import calibration
from mgcl.classifier.embedding import in_rows
from mgcl.classifier.learner import Learner
from mgcl.classifier.scores import scores
from mgcl.data import soundscapes
from mgcl.extraction.extract import extract
from mgcl.features import FeatureBank
from mgcl.home import home
from mgcl.methods.method import ClipFeatures, Support
from mgcl.seeding import generator
from mgcl.tasks import few_shot
from mgcl.transport.cost import unit

WAY, QUERIES = 5, 10
METHODS = ("multi_grained_kernel", "proker", "ridge", "knn", "cross_modal_probe", "treff_adapter", "mgcl")
HEADS = ("bank", "method", "shot", "τ", "median τ / spread", "log-loss", "calibration error")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--bank", nargs="+", default=())
    parser.add_argument("--episodes", type=int, default=30)
    given = parser.parse_args()
    rows = []
    for bank in map(FeatureBank.open, given.bank) if given.bank else (_bank(home()),):
        for name in given.methods:
            rows += _rows(bank, Learner.named(name, {}), given.episodes)
    print(tabulate(rows, HEADS, floatfmt=".3f"))


def _rows(bank: FeatureBank, learner: Learner, episodes: int) -> Iterator[list[object]]:
    for shot in (1, 2, 5, 10):
        drawn = [_episode(bank, shot, index) for index in range(episodes)]
        fitted = [learner.fit(support) for support, _, _ in drawn]
        found = [
            learner.predict(each, query).logits.double() for each, (_, query, _) in zip(fitted, drawn, strict=True)
        ]
        units = np.array([
            calibration.spread(learner.predict(each, support.clips).logits)
            for each, (support, _, _) in zip(fitted, drawn, strict=True)
        ])  # fmt: skip
        truth = torch.cat([true for _, _, true in drawn])
        best = calibration.best_temperature(torch.cat(found), truth, prior=float(np.median(units)))
        taus = {"one for all": np.full(episodes, best), "prior": calibration.PRIOR_TEMPERATURE * units}
        if shot > learner.least_shots:
            taus["cross-fitted"] = np.array([
                calibration.temperature(support, learner, each, seed=0)
                for each, (support, _, _) in zip(fitted, drawn, strict=True)
            ])  # fmt: skip
        for name, tau in taus.items():
            likely = np.concatenate([softmax(each.numpy() / t, axis=1) for each, t in zip(found, tau, strict=True)])
            score = scores(likely, truth.numpy())
            middle = np.median(tau / units)
            yield [bank.header.dataset, learner.name, shot, name, middle, score.log_loss, score.calibration_error]


def _bank(folder: Path) -> FeatureBank:
    path = folder / "banks" / f"soundscapes-development-{soundscapes.VERSION}"
    if not path.is_dir():
        data = soundscapes.generate(folder / "data" / path.name, split="development", workers=2)
        extract(data, tiny.load(), path)
    return FeatureBank.open(path)


def _classes(bank: FeatureBank) -> list[str]:
    if bank.header.dataset.endswith("-development"):
        return sorted(bank.row_of_class)
    draws = few_shot.Draws(ways=(WAY,), shots=(1,))
    return sorted(few_shot.problems(draws, bank, shared=True)[0].validation.classes)


def _episode(bank: FeatureBank, shot: int, index: int) -> tuple[Support, ClipFeatures, torch.Tensor]:
    """A support set, the query clips, and their classes."""
    random, labels = generator("temperature", shot, index), np.array(bank.clips["label"].to_pylist())
    chosen = random.permutation(_classes(bank))[:WAY]
    drawn = [random.permutation(np.flatnonzero(labels == label))[: shot + QUERIES] for label in chosen]
    clips = ClipFeatures(*(
        unit(torch.from_numpy(each[np.concatenate(drawn)]))
        for each in (bank.segment_embeddings, bank.clip_embeddings, bank.caption_embeddings)
    ))  # fmt: skip
    true = torch.arange(WAY).repeat_interleave(shot + QUERIES)
    seen = (torch.arange(len(true)) % (shot + QUERIES)) < shot
    classes = [bank.row_of_class[label] for label in chosen]
    support = Support(
        clips=in_rows(clips, seen),
        labels=true[seen],
        prompts=unit(torch.from_numpy(bank.prompt_embeddings[classes])),
        explanations=unit(torch.from_numpy(bank.explanation_embeddings[classes])),
        logit_scale=bank.header.logit_scale,
        seeds=torch.tensor(0),
    )
    return support, in_rows(clips, ~seen), true[~seen]


if __name__ == "__main__":
    main()

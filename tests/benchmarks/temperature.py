"""What τ the probabilities of a classifier need before any clip of its classes was heard, on development classes.

python tests/benchmarks/temperature.py
"""

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
from mgcl.methods.few_shot import mgcl
from mgcl.methods.method import ClipFeatures, Support
from mgcl.seeding import generator
from mgcl.transport.cost import unit

WAY, QUERIES, EPISODES = 5, 10, 30


def main() -> None:
    bank, rows = _bank(home()), []
    scale = bank.header.logit_scale
    for shot in (1, 2, 5, 10):
        drawn = [_episode(bank, shot, index) for index in range(EPISODES)]
        logits, truth = (torch.cat(each) for each in zip(*((query, true) for _, query, true in drawn), strict=True))
        best = calibration.best_temperature(logits, truth, prior=scale)  # of 1,500 clips: the prior counts for nothing
        taus = {"one for all": [best] * EPISODES, "prior": [calibration.PRIOR_TEMPERATURE * scale] * EPISODES}
        if shot > 1:
            taus["cross-fitted"] = [
                calibration.temperature(support, Learner.named("mgcl", {}), seed=0) for support, _, _ in drawn
            ]
        for name, tau in taus.items():
            shares = [softmax(query.double() / t, axis=1) for (_, query, _), t in zip(drawn, tau, strict=True)]
            found = scores(np.concatenate(shares), truth.numpy())
            rows.append([shot, name, np.median(tau) / scale, found.log_loss, found.calibration_error])
    print(tabulate(rows, ["shot", "τ", "median τ / logit scale", "log-loss", "calibration error"], floatfmt=".3f"))


def _bank(folder: Path) -> FeatureBank:
    path = folder / "banks" / f"soundscapes-development-{soundscapes.VERSION}"
    if not path.is_dir():
        data = soundscapes.generate(folder / "data" / path.name, split="development", workers=2)
        extract(data, tiny.load(), path)
    return FeatureBank.open(path)


def _episode(bank: FeatureBank, shot: int, index: int) -> tuple[Support, torch.Tensor, torch.Tensor]:
    """A support set, and the logits and classes of its query clips."""
    random, labels = generator("temperature", shot, index), np.array(bank.clips["label"].to_pylist())
    chosen = random.permutation(sorted(bank.row_of_class))[:WAY]
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
    fitted = mgcl.fit(support, mgcl.Parameters())
    return support, mgcl.predict(fitted, in_rows(clips, ~seen)).logits, true[~seen]


if __name__ == "__main__":
    main()

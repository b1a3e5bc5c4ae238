"""A fitted classifier beside its backbone's own forward pass, and how good its probabilities are."""

import numpy as np
import pytest
import soundfile
import torch

from mgcl import FewShotClassifier
from mgcl.backbones import tiny
from mgcl.classifier.calibration import familiarity
from mgcl.classifier.scores import scores
from mgcl.data import soundscapes
from mgcl.extraction.plan import BATCH
from mgcl.seeding import generator

CLIPS, WAY, SHOT, QUERIES, EPISODES = 1000, 5, 5, 15, 20


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The evaluation classes: nothing of the classifier was chosen on them."""
    return soundscapes.generate(tmp_path_factory.mktemp("sounds") / "soundscapes", workers=1)


@pytest.fixture(scope="module")
def by_class(dataset):
    return {label: [file.path for file in dataset.files if file.label == label] for label in dataset.classes}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["mgcl", "backbone"])
def test_predicting(benchmark, which, dataset, by_class) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    classes = list(by_class)[:WAY]
    classifier = FewShotClassifier().fit(
        [path for label in classes for path in by_class[label][:SHOT]],
        [label for label in classes for _ in range(SHOT)],
        explanations="soundscapes",
    )
    paths = [file.path for file in dataset.files][:CLIPS]
    backbone = tiny.load()
    waveforms = torch.from_numpy(np.stack([soundfile.read(path, dtype="float32")[0] for path in paths]))

    def forward() -> None:
        for batch in waveforms.split(BATCH):
            backbone.embed_audio(batch)

    benchmark.group = f"{CLIPS} five-second clips from files to probabilities, {WAY}-way {SHOT}-shot, one core"
    benchmark.name = {"mgcl": "mgcl: decoding, backbone, answers", "backbone": "the backbone's forward pass alone"}[
        which
    ]
    job = {"mgcl": lambda: classifier.predict_proba(paths), "backbone": forward}[which]
    benchmark.pedantic(job, rounds=3, warmup_rounds=1)
    torch.set_num_threads(threads)
    benchmark.extra_info.update(scale=1, facts={})


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shot", [1, SHOT])
def test_probabilities(benchmark, shot, by_class) -> None:
    """1,500 predictions, and as many of classes that the classifier does not have."""

    def measure() -> str:
        shares, true, known, unknown, turned_away = [], [], [], [], []
        for index in range(EPISODES):
            random = generator("probabilities", shot, index)
            classes = sorted(random.permutation(list(by_class))[: WAY + 1])
            stranger = classes.pop(int(random.integers(len(classes))))
            drawn = {
                label: [by_class[label][i] for i in random.permutation(len(by_class[label]))] for label in by_class
            }
            classifier = FewShotClassifier(reject_label="none" if shot > 1 else None).fit(
                [path for label in classes for path in drawn[label][:shot]],
                [label for label in classes for _ in range(shot)],
                explanations="soundscapes",
            )
            queries = [path for label in classes for path in drawn[label][shot : shot + QUERIES]]
            logits = classifier.logits(queries)
            shares.append(classifier.model_.probabilities(logits))
            true.append(np.arange(WAY).repeat(QUERIES))
            foreign = classifier.logits(drawn[stranger])
            known.append(familiarity(torch.from_numpy(logits)))
            unknown.append(familiarity(torch.from_numpy(foreign)))
            turned_away.append([np.mean(~classifier.model_.is_known(each)) for each in (foreign, logits)])
        found = scores(np.concatenate(shares), np.concatenate(true))
        accuracy = np.mean(np.concatenate(shares).argmax(1) == np.concatenate(true))
        return (
            f"{len(np.concatenate(true))} predictions: accuracy {100 * accuracy:.1f} %, AUROC {found.auroc:.3f}, ECE "
            f"{found.calibration_error:.3f}, Brier {found.brier:.3f}, log-loss {found.log_loss:.3f}; "
            + _none_of_these(known, unknown, turned_away, shot)
        )

    benchmark.group = (
        f"probabilities of {EPISODES} classifiers, {WAY}-way {shot}-shot, evaluation classes of soundscapes"
    )
    benchmark.name = "mgcl: fit and predict"
    said = benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update(scale=1, facts={"it": said})


def _none_of_these(known, unknown, turned_away, shot: int) -> str:
    from sklearn.metrics import roc_auc_score

    areas = [
        roc_auc_score(np.repeat([1, 0], [len(inside), len(outside)]), np.concatenate([inside, outside]))
        for inside, outside in zip(known, unknown, strict=True)
    ]
    said = f"a foreign class told from the known ones: AUROC {np.mean(areas):.3f}"
    if shot == 1:
        return said
    foreign, own = 100 * np.mean(turned_away, axis=0)
    return f"{said}; rejected are {foreign:.0f} % of its clips and {own:.0f} % of the known ones'"

"""Train the tiny model from random weights. Every step is a function of (seed, step), so that a run can be resumed."""

from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

from mgcl.backbones._grained import Grained, contrastive_loss, regularisation
from mgcl.backbones._log_mel import STEPS
from mgcl.backbones.tiny import Config, make_model, tokenize, train_tokenizer
from mgcl.errors import BackboneError
from mgcl.files import replacing
from mgcl.pretraining.codewords import Usage, usage
from mgcl.pretraining.corpus import Corpus, texts
from mgcl.pretraining.standards import Standards
from mgcl.progress import Bar
from mgcl.records import digest
from mgcl.seeding import generator, seed_of

USAGE = "codewords.csv"
"""File in the checkpoint's folder with the use of the codebook by the batch of each checkpoint's step."""


@dataclass(frozen=True)
class Plan:
    """Settings of a training run; they determine its result."""

    steps: int = 1800
    clips: int = 16000
    """Number of clips in the corpus."""
    batch: int = 128
    seed: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    codebook: bool = True
    """Whether clips and sentences are aggregated over a shared codebook; else they are plain means."""
    local: bool = True
    """Whether the audio tower's last block passes values on; else it attends."""
    hardness: float = 0.15
    """How much more closer negatives weigh; 0: all negatives weigh the same."""
    mixed: float = 0.3
    """Share of clips that are mixed with another clip of the batch; their captions are joined."""
    mlp: bool = False
    """Whether the last block has an MLP. One that attends must; the published one, which passes values on, has not."""
    regularisation: float = 1.0
    """Weight of the embeddings' mean absolute value over their norm."""
    soft_targets: bool = True
    """Whether a clip that a batch has several times is a positive of each of its captions there."""
    score_temperature: float = Config.score_temperature
    """Divisor of the scores of codewords; the default is the published one."""
    standardised: bool = True
    """Whether frames, and words, have mean 0 and variance 1 in each dimension over a batch."""

    def __post_init__(self) -> None:
        for name in ("steps", "clips", "batch"):
            if getattr(self, name) < 1:
                raise BackboneError(f"`{name}` must be at least 1, got {getattr(self, name)}")
        if not self.mlp and not self.local:
            raise BackboneError("`mlp`: a last block that attends has one; set it, or leave `local`")
        if not self.score_temperature > 0:
            raise BackboneError(f"`score_temperature` must be above 0, got {self.score_temperature}")
        if not self.regularisation >= 0:
            raise BackboneError(f"`regularisation` must be at least 0, got {self.regularisation}")

    @property
    def digest(self) -> str:
        """First eight digits of the settings' digest; part of the name of the checkpoint's folder."""
        kept = {name: value for name, value in asdict(self).items() if value != _LATER.get(name)}
        return digest(kept)[:8]


_LATER = {
    "mlp": True,
    "regularisation": 0.0,
    "soft_targets": False,
    "score_temperature": 30.0,
    "standardised": False,
}
"""Settings that older plans lack, and what those did; there they are no part of the digest, which stays the same."""


def train(plan: Plan, corpus: Corpus, folder: Path, *, every: int = 100) -> tuple[Grained, Config, Tokenizer]:
    """Train from random weights, or resume from the checkpoint in ``folder``.

    Args:
        plan: settings of the training.
        corpus: clips and their captions.
        folder: folder of the checkpoint, used by this plan alone.
        every: number of steps between checkpoints.

    Returns:
        The model in evaluation mode, its configuration and its tokenizer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed_of("pretraining", plan.seed))
    tokenizer = train_tokenizer(texts(corpus))
    config = Config(
        tokenizer.get_vocab_size(),
        codewords=Config.codewords if plan.codebook else 0,
        local=plan.local,
        mlp=plan.mlp,
        score_temperature=plan.score_temperature,
    )
    model = make_model(config)
    standards = Standards(config.embedding_dim) if plan.standardised else None
    optimiser = torch.optim.AdamW(_groups(model, plan), plan.learning_rate, fused=True)
    schedule = OneCycleLR(optimiser, plan.learning_rate, plan.steps, pct_start=0.08)
    checkpoint = folder / "checkpoint.pt"
    first = _resume(checkpoint, model, standards, optimiser, schedule)
    model.train()
    losses: deque[float] = deque(maxlen=20)
    with Bar(range(first, plan.steps), initial=first, total=plan.steps, unit="step") as bar:
        for step in bar:
            batch = _batch(plan, corpus, tokenizer, step)
            frames, words = _grains(model, batch, standards)
            loss = _loss(model, frames, words, batch, plan)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                model.temp.clamp_(0.01, 1.0)
            losses.append(loss.item())
            if step % 20 == 0:
                bar.set_postfix_str(f"loss {np.mean(losses):.3f}, temperature {model.temp.item():.3f}")
            if (step + 1) % every == 0 or step + 1 == plan.steps:
                _keep(checkpoint, model, standards, optimiser, schedule, step + 1)
                _log(folder / USAGE, step + 1, usage(model, frames, words, batch.present))
    if standards is not None:
        standards.fold(model)
    return model.eval(), config, tokenizer


class _Batch(NamedTuple):
    log_mel: Float[Tensor, "b time mels"]
    tokens: Int[Tensor, "b m"]
    present: Bool[Tensor, "b m"]
    clips: Int[Tensor, " b"]
    """Numbers of the clips; those of mixed clips are negative and differ."""


def _grains(
    model: Grained, batch: _Batch, standards: Standards | None
) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b m d"]]:
    with torch.autocast("cpu", torch.bfloat16):
        frames, words = model.frames(batch.log_mel), model.words(batch.tokens, batch.present)
    return (frames, words) if standards is None else (standards.frames(frames), standards.words(words, batch.present))


def _loss(model: Grained, frames: Tensor, words: Tensor, batch: _Batch, plan: Plan) -> Tensor:
    audio, text = model.aggregate(frames), model.aggregate(words, batch.present)
    positive = batch.clips[:, None] == batch.clips if plan.soft_targets else None
    loss = contrastive_loss(audio, text, model.temp, hardness=plan.hardness, positive=positive)
    if plan.regularisation:
        loss = loss + plan.regularisation * (regularisation(audio) + regularisation(text))
    return loss


def _log(file: Path, step: int, found: Usage | None) -> None:
    """Append a line to a csv file; nothing if there is no codebook."""
    if found is None:
        return
    row = {"step": step, **asdict(found)}
    lines = "" if file.exists() else ",".join(row) + "\n"
    with file.open("a", encoding="utf-8") as stream:
        stream.write(lines + ",".join(f"{value:.6g}" for value in row.values()) + "\n")


def _resume(
    file: Path, model: Grained, standards: Standards | None, optimiser: torch.optim.Optimizer, schedule: OneCycleLR
) -> int:
    """Load a checkpoint, if there is one, and return the number of steps that are done."""
    if not file.exists():
        return 0
    stored = torch.load(file, weights_only=True)
    model.load_state_dict(stored["model"])
    if standards is not None:
        standards.load_state_dict(stored["standards"])
    optimiser.load_state_dict(stored["optimiser"])
    schedule.load_state_dict(stored["schedule"])
    return int(stored["steps"])


def _keep(
    file: Path,
    model: Grained,
    standards: Standards | None,
    optimiser: torch.optim.Optimizer,
    schedule: OneCycleLR,
    steps: int,
) -> None:
    """Write a checkpoint."""
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
    if standards is not None:
        state["standards"] = standards.state_dict()
    with replacing(file) as draft:
        torch.save(state | {"steps": steps}, draft)


def _groups(model: Grained, plan: Plan) -> list[dict[str, Any]]:
    """Parameter groups: no weight decay for the codebook and for parameters with at most one dimension."""
    decayed = [each for name, each in model.named_parameters() if each.ndim > 1 and name != "codebook"]
    free = [each for name, each in model.named_parameters() if each.ndim <= 1 or name == "codebook"]
    return [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": free, "weight_decay": 0.0}]


def _batch(plan: Plan, corpus: Corpus, tokenizer: Tokenizer, step: int) -> _Batch:
    """Draw the batch of a step: spectrograms, shifted in time and partly mixed, and the tokens of their captions."""
    random = generator("batch", plan.seed, step)
    rows = random.integers(len(corpus.log_mel), size=plan.batch)
    spectrograms = corpus.log_mel[rows].astype(np.float32)
    for each, shift in zip(spectrograms, random.integers(STEPS, size=plan.batch), strict=True):
        each[:] = np.roll(each, shift, axis=0)
    sentences = [str(random.choice(corpus.captions[row])) for row in rows]
    clips = torch.from_numpy(rows.copy())
    for index in np.flatnonzero(random.random(plan.batch) < plan.mixed):
        other = int(random.integers(plan.batch))
        spectrograms[index] = _mix(spectrograms[index], spectrograms[other], random.uniform(-6, 6))
        sentences[index] = f"{sentences[index]} and {sentences[other]}"
        clips[index] = -1 - index
    return _Batch(torch.from_numpy(spectrograms), *tokenize(tokenizer, sentences), clips)


def _mix(log_mel: NDArray[np.float32], other: NDArray[np.float32], decibels: float) -> NDArray[np.float32]:
    """Add the power of two spectrograms; values are in the front end's unit of 20 dB and range from -2 to 2.

    Args:
        log_mel: spectrogram.
        other: spectrogram that is added.
        decibels: gain of ``other`` in dB.
    """
    bels = np.log(10) * 2
    mixed = np.logaddexp(log_mel * bels, (other + decibels / 20) * bels) / bels
    louder: NDArray[np.float32] = np.maximum(mixed - mixed.max() + 2, -2).astype(np.float32)
    return louder

"""The embedded backbone: a tiny language-audio model of our own, trained on generated sounds (``mgcl pretrain``)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from mgcl.backbones._grained import Grained
from mgcl.backbones._log_mel import MELS, SAMPLE_RATE, SECONDS, STEPS, log_mel
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import check_length
from mgcl.backbones._towers import AudioTower, TextTower
from mgcl.backbones._weights import chosen, fingerprint, load_strictly
from mgcl.backbones.backbone import AudioFeatures
from mgcl.errors import BackboneError

SHIPPED = Path(__file__).parent / "tiny_weights"
WEIGHTS, TOKENIZER, CAPTIONS = "model.safetensors", "tokenizer.json", "captions.txt"
_PAD = "<pad>"


@dataclass(frozen=True)
class Config:
    """Sizes of the tiny model."""

    vocabulary: int
    width: int = 192
    embedding_dim: int = 256
    codewords: int = 512
    """0: no codebook."""
    score_temperature: float = 30.0
    segments: int = STEPS // 16
    longest: int = 160
    """Tokens of a sentence."""
    local: bool = True


def make_model(config: Config) -> Grained:
    """A model with random weights."""
    return Grained(
        AudioTower(MELS, config.width, config.segments, local=config.local),
        TextTower(config.vocabulary, config.width, config.longest),
        audio_width=config.width,
        text_width=config.width,
        embedding_dim=config.embedding_dim,
        codewords=config.codewords,
        score_temperature=config.score_temperature,
    )


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Byte-level BPE of the training text: any other word comes apart into known pieces, at worst into bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=[_PAD], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.enable_padding(pad_id=0, pad_token=_PAD)
    return tokenizer


def tokenize(tokenizer: Tokenizer, sentences: Sequence[str]) -> tuple[Int[Tensor, "b m"], Bool[Tensor, "b m"]]:
    """Token ids and which of them are there."""
    encoded = tokenizer.encode_batch(list(sentences))
    present = torch.tensor([each.attention_mask for each in encoded], dtype=torch.bool)
    return torch.tensor([each.ids for each in encoded]), present


class TinyBackbone:
    """The tiny model, frozen."""

    sample_rate = SAMPLE_RATE
    seconds = SECONDS

    def __init__(
        self, name: str, model: Grained, config: Config, tokenizer: Tokenizer, captions: tuple[str, ...], device: str
    ) -> None:
        self.name, self.fingerprint = name, fingerprint(model)
        self._model, self._tokenizer = model.to(device).eval().requires_grad_(False), tokenizer
        self._device, self._longest = device, config.longest
        self.embedding_dim, self.segments, self.captions = config.embedding_dim, config.segments, captions
        self.segment_seconds = SECONDS / config.segments
        self.logit_scale = min(100.0, 1 / model.temp.item())

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Sixteen segments, each a frame by itself in codewords, and the clip from those that all frames match."""
        with torch.inference_mode():
            frames = self._model.frames(log_mel(waveforms).to(self._device))
            segments = self._model.aggregate(frames.flatten(0, 1).unsqueeze(1)).reshape(frames.shape)
            return AudioFeatures(segments.cpu(), self._model.aggregate(frames).cpu())

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """The sentence from the codewords that its words match."""
        tokens, present = tokenize(self._tokenizer, sentences)
        for sentence, length in zip(sentences, present.sum(1).tolist(), strict=True):
            check_length(sentence, length, self._longest)
        with torch.inference_mode():
            tokens, present = tokens.to(self._device), present.to(self._device)
            return self._model.aggregate(self._model.words(tokens, present), present).cpu()


def load(weights: str | None = None, device: str = "cpu") -> TinyBackbone:
    """Load the shipped weights, or a folder that ``mgcl pretrain`` wrote.

    Raises:
        BackboneError: a file is missing, or does not hold the tiny model.
    """
    folder = Path(chosen("tiny", weights, str(SHIPPED)))
    for name in (WEIGHTS, TOKENIZER, CAPTIONS):
        if not (folder / name).is_file():
            raise BackboneError(f"{folder / name}: missing; `mgcl pretrain --out {folder}` writes it")
    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            config = Config(**json.loads(file.metadata()["config"]))
        stored = load_file(folder / WEIGHTS)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BackboneError(f"{folder / WEIGHTS}: not the tiny model's weights ({error})") from None
    model = make_model(config)
    load_strictly(model, stored, str(folder / WEIGHTS))
    captions = tuple((folder / CAPTIONS).read_text(encoding="utf-8").splitlines())
    name = "tiny" if folder == SHIPPED else f"tiny {folder.name}"
    return probed(TinyBackbone(name, model, config, Tokenizer.from_file(str(folder / TOKENIZER)), captions, device))


def save(model: Grained, config: Config, tokenizer: Tokenizer, captions: Sequence[str], folder: Path) -> None:
    """Write what ``load`` reads; weights in half precision, so what is measured is what was saved and loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    contiguous = {name: value.contiguous() for name, value in halves.items()}
    save_file(contiguous, folder / WEIGHTS, metadata={"config": json.dumps(asdict(config))})
    (folder / WEIGHTS).chmod(0o644)  # safetensors lets the owner alone read it
    tokenizer.save(str(folder / TOKENIZER))
    (folder / CAPTIONS).write_text("".join(f"{caption}\n" for caption in captions), encoding="utf-8")

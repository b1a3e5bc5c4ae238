"""The backbone that comes with mgcl: a tiny language-audio model trained on generated sounds (``mgcl pretrain``)."""

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

from mgcl.backbones._alignment import aligned
from mgcl.backbones._grained import Grained
from mgcl.backbones._log_mel import MELS, SAMPLE_RATE, SECONDS, STEPS, log_mel
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import check_length
from mgcl.backbones._towers import AudioTower, TextTower
from mgcl.backbones._weights import chosen, fingerprint, load_strictly
from mgcl.backbones.backbone import AudioFeatures
from mgcl.details import Alignment
from mgcl.errors import BackboneError

ALIGNS = True
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
    """Size of the codebook; 0: there is no codebook."""
    score_temperature: float = 1000.0
    segments: int = STEPS // 16
    longest: int = 160
    """Largest number of tokens in a sentence."""
    local: bool = True
    mlp: bool = True
    """Whether a local last block has an MLP."""


def make_model(config: Config) -> Grained:
    """Build a model with random weights."""
    return Grained(
        AudioTower(MELS, config.width, config.segments, local=config.local, mlp=config.mlp),
        TextTower(config.vocabulary, config.width, config.longest),
        audio_width=config.width,
        text_width=config.width,
        embedding_dim=config.embedding_dim,
        codewords=config.codewords,
        score_temperature=config.score_temperature,
    )


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Train a byte-level BPE tokenizer on texts. It splits other words into known pieces, at worst into bytes."""
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
    """Tokenize sentences: token ids, and a mask that is False for padding."""
    encoded = tokenizer.encode_batch(list(sentences))
    present = torch.tensor([each.attention_mask for each in encoded], dtype=torch.bool)
    return torch.tensor([each.ids for each in encoded]), present


class TinyBackbone:
    """Backbone of the tiny model, frozen."""

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
        """Embed clips: every frame is aggregated by itself into a segment, and all frames together into the clip."""
        with torch.inference_mode():
            features = self.features(waveforms)
            return AudioFeatures(features.segments.cpu(), features.clip.cpu())

    @property
    def tower(self) -> Grained:
        """The weights that ``features`` uses."""
        return self._model

    def features(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips as in ``embed_audio``, with operations that can be exported."""
        frames = self._model.frames(log_mel(waveforms).to(self._device))
        return AudioFeatures(self._model.each(frames), self._model.aggregate(frames))

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences: the words of a sentence are aggregated into one vector."""
        with torch.inference_mode():
            return self._model.aggregate(*self._words(sentences)).cpu()

    def align(self, waveform: Float[Tensor, " samples"], sentence: str) -> Alignment:
        """Divide the cosine of a clip and a sentence among frames and words."""
        with torch.inference_mode():
            frames = self._model.frames(log_mel(waveform[None]).to(self._device))
            words, present = self._words([sentence])
            encoded = self._tokenizer.encode(sentence)
            return aligned(self._model, frames[0], words[0], present[0], sentence, encoded)

    def _words(self, sentences: Sequence[str]) -> tuple[Float[Tensor, "k m d"], Bool[Tensor, "k m"]]:
        tokens, present = tokenize(self._tokenizer, sentences)
        for sentence, length in zip(sentences, present.sum(1).tolist(), strict=True):
            check_length(sentence, length, self._longest)
        tokens, present = tokens.to(self._device), present.to(self._device)
        return self._model.words(tokens, present), present


def load(weights: str | None = None, device: str = "cpu") -> TinyBackbone:
    """Load the tiny model.

    Args:
        weights: a folder that ``mgcl pretrain`` wrote; None: ``MGCL_TINY_WEIGHTS``, else the weights that come with
            mgcl.
        device: a torch device.

    Raises:
        BackboneError: a file is missing, or is not one of the tiny model.
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
    """Write the folder that ``load`` reads. Weights are stored in half precision, so measure the reloaded model."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    contiguous = {name: value.contiguous() for name, value in halves.items()}
    save_file(contiguous, folder / WEIGHTS, metadata={"config": json.dumps(asdict(config))})
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes files that only the owner can read
    tokenizer.save(str(folder / TOKENIZER))
    (folder / CAPTIONS).write_text("".join(f"{caption}\n" for caption in captions), encoding="utf-8")

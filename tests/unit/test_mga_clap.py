"""MGA-CLAP: its numbers against the published formulas written out, its keys at full size, and what is refused."""

import math
import shutil

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mgcl import FewShotClassifier
from mgcl.backbones import _htsat, _sentences, mga_clap, mga_clap_codebook, ms_clap
from mgcl.backbones._sentences import BERT
from mgcl.errors import BackboneError
from mgcl.pretrained import hub_file
from tests.checkpoints.mga_clap import PUBLISHED, SMALL, make, state
from tests.contracts.test_backbones import clicks
from tests.generated_sounds import KINDS, RATE, waveform
from tests.unit.test_grained import sparsemax

pytestmark = pytest.mark.usefixtures("hub")
SENTENCES = ["a dog barks", "rain falls on a tin roof while a church bell rings"]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> str:
    return make(tmp_path_factory.mktemp("mga_clap"))


@pytest.fixture(scope="module")
def backbone(file):
    return mga_clap.load(file)


class Reference:
    """The published model by its formulas alone, on the published names; nothing of transformers or mgcl."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def norm(self, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"], eps)

    def frames(self, waveform: Tensor) -> Tensor:
        """Ten seconds -> (32, d)."""
        audio, heads = "audio_encoder.audio_enc.", SMALL.heads
        x = self.image(self.log_mel(waveform, audio))
        x = F.conv2d(
            x, self.tensors[f"{audio}patch_embed.proj.weight"], self.tensors[f"{audio}patch_embed.proj.bias"], 4
        )
        x = self.norm(f"{audio}patch_embed.norm", x[0].permute(1, 2, 0))  # (64, 64, width)
        for stage in range(4):
            for block in range(2):
                name = f"{audio}layers.{stage}.blocks.{block}"
                if (stage, block) == (3, 1):
                    v = self.linear(f"{name}.attn.qkv", self.norm(f"{name}.norm1", x)).chunk(3, -1)[2]
                    v = x + self.linear(f"{name}.attn.proj", v)
                    x = v + self.norm(f"{name}.norm2", v)
                else:
                    shift = 4 if block and len(x) > 8 else 0
                    x = x + self.attention(name, self.norm(f"{name}.norm1", x), heads[stage], shift)
                    hidden = F.gelu(self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", x)))
                    x = x + self.linear(f"{name}.mlp.fc2", hidden)
            if stage < 3:
                name = f"{audio}layers.{stage}.downsample"
                four = torch.cat([x[0::2, 0::2], x[1::2, 0::2], x[0::2, 1::2], x[1::2, 1::2]], -1)
                x = self.norm(f"{name}.norm", four) @ self.tensors[f"{name}.reduction.weight"].T
        x = self.norm(f"{audio}norm", x)  # 8 rows: 4 quarters of the time, each of 2 frequency bins; 8 columns of time
        return self.head("frame_proj", x.reshape(4, 2, 8, -1).mean(1).reshape(32, -1))

    def log_mel(self, waveform: Tensor, audio: str) -> Tensor:
        front = f"{audio}audio_feats_extractor."
        padded = F.pad(waveform[None, None], (512, 512), mode="reflect")
        kernels = (self.tensors[f"{front}mel_trans.stft.conv_{part}.weight"] for part in ("real", "imag"))
        power = sum(F.conv1d(padded, kernel, stride=320)[0].square() for kernel in kernels)
        mel = power.T @ self.tensors[f"{front}log_trans.melW"]
        log = 10 * mel.clamp_min(1e-10).log10()
        mean, variance = (self.tensors[f"{audio}bn0.running_{part}"] for part in ("mean", "var"))
        scaled = (log - mean) / (variance + 1e-5).sqrt()
        return scaled * self.tensors[f"{audio}bn0.weight"] + self.tensors[f"{audio}bn0.bias"]

    def image(self, log_mel: Tensor) -> Tensor:
        """1,001 frames of 64 bands, stretched to 1,024, as four quarters below one another: (1, 1, 256, 256)."""
        stretched = F.interpolate(log_mel[None, None], (1024, 64), mode="bicubic", align_corners=True)[0, 0]
        return torch.cat([quarter.T for quarter in stretched.chunk(4)])[None, None]

    def attention(self, name: str, x: Tensor, heads: int, shift: int) -> Tensor:
        """Attention within windows of 8 x 8 places, one query at a time; of a shifted window, within its parts."""
        side, width = len(x), x.shape[-1]
        q, k, v = self.linear(f"{name}.attn.qkv", x).reshape(side, side, 3, heads, -1).unbind(2)
        table = self.tensors[f"{name}.attn.relative_position_bias_table"]
        place = (torch.arange(side) - shift) % side
        window = place // 8  # of each row or column, once shifted
        part = torch.where((torch.arange(side) < shift) & (shift > 0), 1, 0)  # what was rolled past the end
        group = window * 2 + part
        row_apart = place[:, None] - place + 7
        out = torch.zeros(side, side, heads, width // heads)
        for number in group.unique():
            rows = (group == number).nonzero()[:, 0]
            for other in group.unique():
                columns = (group == other).nonzero()[:, 0]
                q_, k_, v_ = (each[rows][:, columns].flatten(0, 1) for each in (q, k, v))
                down = row_apart[rows][:, rows][:, None, :, None]
                right = row_apart[columns][:, columns][None, :, None, :]
                bias = table[down * 15 + right].reshape(len(q_), len(q_), heads)
                scores = torch.einsum("ihd,jhd->ijh", q_, k_) / math.sqrt(width // heads) + bias
                mixed = torch.einsum("ijh,jhd->ihd", scores.softmax(1), v_)
                out[rows[:, None], columns] = mixed.reshape(len(rows), len(columns), heads, -1)
        return self.linear(f"{name}.attn.proj", out.flatten(2))

    def words(self, ids: list[int]) -> Tensor:
        """Token ids from [CLS] to [SEP] -> (m, d), neither of both among them."""
        name = "text_encoder.text_encoder.embeddings"
        kinds = (("word", ids), ("position", range(len(ids))), ("token_type", [0] * len(ids)))
        x = sum(self.tensors[f"{name}.{kind}_embeddings.weight"][list(rows)] for kind, rows in kinds)
        x = self.norm(f"{name}.LayerNorm", x, 1e-12)
        for number in range(SMALL.text_layers):
            layer = f"text_encoder.text_encoder.encoder.layer.{number}"
            parts = (self.linear(f"{layer}.attention.self.{part}", x) for part in ("query", "key", "value"))
            q, k, v = (each.unflatten(-1, (-1, 64)).transpose(0, 1) for each in parts)
            mixed = ((q @ k.mT / 8).softmax(-1) @ v).transpose(0, 1).flatten(1)
            out = self.linear(f"{layer}.attention.output.dense", mixed)
            x = self.norm(f"{layer}.attention.output.LayerNorm", x + out, 1e-12)
            out = self.linear(f"{layer}.output.dense", F.gelu(self.linear(f"{layer}.intermediate.dense", x)))
            x = self.norm(f"{layer}.output.LayerNorm", x + out, 1e-12)
        return self.head("word_proj", x[1:-1])

    def head(self, name: str, x: Tensor) -> Tensor:
        hidden = F.gelu(self.linear(f"{name}.1", self.norm(f"{name}.0", x)))
        return self.linear(f"{name}.4", self.norm(f"{name}.3", hidden))

    def aggregated(self, grains: Tensor) -> Tensor:
        codebook = self.tensors["codebook"]
        scores = (grains @ codebook.T / math.sqrt(SMALL.d) / 1000).max(0).values
        vector = torch.tensor(sparsemax(scores.tolist())) @ codebook
        return vector / vector.norm()


def test_it_equals_the_published_formulas(file, backbone) -> None:
    reference, waveform = Reference(torch.load(file)["model"]), clicks(backbone, 0.7, 6.2)
    frames = reference.frames(waveform)
    features = backbone.embed_audio(waveform[None])
    over = mga_clap_codebook.load(file).embed_audio(waveform[None])
    assert torch.allclose(features.segments[0], F.normalize(frames, dim=-1), atol=1e-5)
    assert torch.allclose(
        over.segments[0], torch.stack([reference.aggregated(each[None]) for each in frames]), atol=1e-5
    )
    for clip in (features.clip[0], over.clip[0]):
        assert torch.allclose(clip, reference.aggregated(frames), atol=1e-5)
    tokens = backbone._tokenizer(SENTENCES).input_ids
    # [SEP] and padding score 0 for every codeword.
    expected = [reference.aggregated(F.pad(reference.words(each), (0, 0, 0, 1))) for each in tokens]
    assert torch.allclose(backbone.embed_text(SENTENCES), torch.stack(expected), atol=1e-5)


def test_at_full_size_every_published_key_has_its_place(monkeypatch) -> None:
    """Without memory: on the meta device, but for torchlibrosa, which fails there."""
    for part in ("Spectrogram", "LogmelFilterBank"):
        monkeypatch.setattr(_htsat, part, on_cpu(getattr(_htsat, part)))
    with torch.device("meta"):
        published = state(PUBLISHED)
        kept = mga_clap.renamed(published)
        own = mga_clap.sized(kept).state_dict()
    assert {name: value.shape for name, value in kept.items()} == {name: value.shape for name, value in own.items()}
    # The probed instance had 148,092,376 parameters and 427,137 elements of buffers, of which 1,024 are not stored.
    stored = [value.numel() for name, value in published.items() if not name.endswith("position_ids")]
    assert (len(stored), sum(stored)) == (415, 148_092_376 + 427_137 - 1024)


def test_a_classifier_learns_on_it(file) -> None:
    sounds = [(waveform(kind, number), RATE) for kind in KINDS[:2] for number in range(2)]
    labels = [kind for kind in KINDS[:2] for _ in range(2)]
    classifier = FewShotClassifier("mga_clap", weights=file).fit(sounds, labels)
    assert classifier.predict(sounds).tolist() == labels
    reasons = classifier.explain(sounds[0])
    assert len(reasons.segment_times) == 32 and reasons.segment_times[-1] < 10.0
    assert reasons.alignment.sentence == reasons.strongest_sentence


def on_cpu(kind):
    def built(*args, **named):
        with torch.device("cpu"):
            return kind(*args, **named)

    return built


@pytest.fixture
def damaged(file, tmp_path):
    """Writes the checkpoint once more, with something done to its tensors; gives the path."""

    def write(change) -> str:
        tensors = torch.load(file)["model"]
        change(tensors)
        torch.save({"model": tensors}, tmp_path / "damaged.pt")
        return str(tmp_path / "damaged.pt")

    return write


WORD = "text_encoder.text_encoder.embeddings.word_embeddings.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("temp"), "1 missing: temp"),
        (lambda state: state.update(other=state["temp"]), "1 unexpected: other"),
        (lambda state: state.update({"frame_proj.0.bias": torch.zeros(3)}), r"1 of another shape: frame_proj\.0\.bias"),
        (lambda state: state.pop(WORD), f"not the weights of MGA-CLAP .*{WORD[27:]}"),
        (lambda state: state.update({WORD: state[WORD][1:]}), "has 2000 tokens .* embeds 1999"),
        (lambda state: state.pop("codebook"), "not MGA-CLAP's"),
        (lambda state: state["temp"].zero_(), "logit scale is inf"),
    ],
)
def test_the_keys_must_be_the_models(damaged, change, message) -> None:
    with pytest.raises(BackboneError, match=message):
        mga_clap.load(damaged(change))


def test_another_backbone_names_it(file) -> None:
    with pytest.raises(BackboneError, match="its weights are MGA-CLAP's; choose the backbone mga_clap"):
        ms_clap.load(file)


def test_without_weights_it_names_where_they_are(monkeypatch) -> None:
    monkeypatch.delenv("MGCL_MGA_CLAP_WEIGHTS", raising=False)
    with pytest.raises(BackboneError, match=rf"{mga_clap.ADDRESS}, then give its path as `weights`"):
        mga_clap.load()


def test_a_tokenizer_beside_the_weights_comes_first(file, tmp_path, monkeypatch) -> None:
    weights = tmp_path / "model.pt"
    weights.symlink_to(file)
    shutil.copy(hub_file(BERT, "tokenizer.json"), tmp_path)
    monkeypatch.setattr(_sentences, "hub_file", None)
    assert len(_sentences.published_tokenizer(BERT, beside=weights)) == 2000
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BackboneError, match=rf"{tmp_path}/tokenizer\.json: no tokenizer .*; put {BERT}'s there"):
        mga_clap.load(str(weights))


def test_a_tokenizer_that_is_not_there_is_named(file, monkeypatch) -> None:
    monkeypatch.setattr(mga_clap, "BERT", "no-such-bert")
    with pytest.raises(BackboneError, match=r"hf download no-such-bert tokenizer\.json.*HF_HOME"):
        mga_clap.load(file)


def test_the_cosine_is_divided_among_frames_words_and_codewords(backbone) -> None:
    waveform = clicks(backbone, 0.7, 6.2)
    found = backbone.align(waveform, SENTENCES[0])
    cosine = float(backbone.embed_audio(waveform[None]).clip[0] @ backbone.embed_text(SENTENCES[:1])[0])
    assert found.words[:3] == ("a", "dog", "barks")
    assert found.cosine == pytest.approx(cosine, abs=1e-5)
    shares = torch.tensor(found.shares)
    assert shares.shape == (len(found.words), 32)
    assert float(shares.sum()) == pytest.approx(cosine, abs=1e-5)
    assert len(found.codewords) == len(found.codeword_shares) > 0


def test_thirty_tokens_are_read_and_one_more_is_an_error(backbone) -> None:
    sentence = " ".join(["a"] * 28)
    assert backbone.embed_text([sentence]).isfinite().all()
    with pytest.raises(
        BackboneError, match=f"^'{sentence} a' is 31 tokens, and the text tower reads at most 30; shorten"
    ):
        backbone.embed_text(["rain", f"{sentence} a"])

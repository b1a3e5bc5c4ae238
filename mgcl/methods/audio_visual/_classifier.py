"""A trunk, a projection, a linear classifier, and a generator or none: AV-DIFF's head, which baselines share."""

from collections.abc import Iterator
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._layers import mlp
from mgcl.methods.audio_visual._sizes import Head
from mgcl.methods.recogniser import Batch, Clips, Shapes


class Generator(Protocol):
    """Synthesises features of a class; also a ``torch.nn.Module``."""

    def critic_losses(self, target: Tensor, words: Tensor, noise: torch.Generator) -> Iterator[Tensor]:
        """Losses of a critic, to be minimised before ``loss``."""
        ...

    def loss(self, target: Tensor, words: Tensor, noise: torch.Generator) -> Tensor:
        """Loss of the generator."""
        ...

    def sample(self, words: Tensor, noise: torch.Generator) -> Tensor:
        """Synthesise one feature per word vector."""
        ...


def classifier(trunk: nn.Module, width: int, shapes: Shapes, head: Head) -> "Classifier":
    """Classifier with a head of the given sizes on a trunk of the given width."""
    return Classifier(trunk, (width, head.hidden, head.out), shapes.classes, head.dropout)


class Classifier(nn.Module):
    """Model of a clip's classes; see ``mgcl.methods.recogniser.Model``.

    Args:
        trunk: module from clips to vectors.
        sizes: dimensions of the projection, from the trunk's to that of the classified features.
        classes: number of classes.
        rate: dropout of the projection.

    Attributes:
        generator: what synthesises classified features of novel classes, also a ``Generator``; None: nothing.
    """

    generator: nn.Module | None

    def __init__(self, trunk: nn.Module, sizes: tuple[int, ...], classes: int, rate: float = 0.0) -> None:
        super().__init__()
        self.trunk, self.generator = trunk, None
        self.project = mlp(sizes, rate)
        self.classify = nn.Linear(sizes[-1], classes)

    def embed(self, clips: Clips) -> Float[Tensor, "b e"]:
        """Output of the trunk."""
        out: Tensor = self.trunk(clips)
        return out

    def scores(self, embedded: Float[Tensor, "b e"], _words: Float[Tensor, "c w"]) -> Float[Tensor, "b c"]:
        """Logits of the classes."""
        out: Tensor = self.classify(self.project(embedded))
        return out

    @property
    def synthesises(self) -> bool:
        """Whether there is a generator."""
        return self.generator is not None

    def features(self, embedded: Float[Tensor, "b e"]) -> Float[Tensor, "b dim"]:
        """What is classified of clips."""
        out: Tensor = self.project(embedded)
        return out

    def synthesise(self, words: Float[Tensor, "b w"], noise: torch.Generator) -> Float[Tensor, "b dim"]:
        """Synthesise what is classified, once per word vector."""
        generator: Generator = self.generator  # type: ignore[assignment]
        return generator.sample(words, noise)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Cross-entropy, plus the generator's loss, plus that of synthesised features in batches of novel classes."""
        features = self.project(batch.embedded)
        if self.generator is None:
            yield "model", F.cross_entropy(self.classify(features), batch.labels)
            return
        generator: Generator = self.generator  # type: ignore[assignment]
        words = batch.words[batch.labels]
        for loss in generator.critic_losses(features, words, batch.noise):
            yield "critic", loss
        loss = F.cross_entropy(self.classify(features), batch.labels)
        loss = loss + generator.loss(features, words, batch.noise)
        if batch.novel:
            fakes = generator.sample(words, batch.noise)
            loss = loss + F.cross_entropy(self.classify(fakes), batch.labels)
        yield "model", loss

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters, a critic's apart."""
        critic = list(getattr(self.generator, "critic", nn.Module()).parameters())
        own = [each for each in self.parameters() if all(each is not other for other in critic)]
        return {"model": own, **({"critic": critic} if critic else {})}

"""A GAN conditioned on class prototypes, and a classifier of real and synthesised clips: ProtoGan."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._gan import Gan
from mgcl.methods.audio_visual._layers import mlp
from mgcl.methods.audio_visual._means import Means, class_means
from mgcl.methods.audio_visual._sizes import Adversary, Head
from mgcl.methods.recogniser import Batch, Clips, Shapes


class ProtoGan(nn.Module):
    """See ``mgcl.methods.recogniser.Model``. Clips are their mean tokens."""

    means: Tensor

    def __init__(self, shapes: Shapes, prototype: int, adversary: Adversary, head: Head) -> None:
        super().__init__()
        width = shapes.audio + shapes.video
        self.trunk = Means()
        self.register_buffer("means", torch.zeros(shapes.classes, width))
        self.transfer = nn.Sequential(
            nn.Linear(width, adversary.hidden), nn.LeakyReLU(), nn.Linear(adversary.hidden, prototype)
        )
        self.gan = Gan(width, prototype, adversary, positive=False)
        self.judge = nn.Linear(width, shapes.classes)
        self.project = mlp((width, head.hidden, head.out), head.dropout)
        self.classify = nn.Linear(head.out, shapes.classes)

    def observe(self, embedded: Float[Tensor, "b e"], labels: Int[Tensor, "b"]) -> None:
        """Average the clips of each class."""
        self.means, _ = class_means(embedded, labels, len(self.means))

    def embed(self, clips: Clips) -> Float[Tensor, "b e"]:
        """Mean tokens of the clips."""
        out: Tensor = self.trunk(clips)
        return out

    def scores(self, embedded: Float[Tensor, "b e"], _words: Float[Tensor, "c w"]) -> Float[Tensor, "b c"]:
        """Logits of the classes."""
        out: Tensor = self.classify(self.project(embedded))
        return out

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The critic's losses; then cross-entropies, the generator's loss, and that its clips are of their class."""
        real, labels = batch.embedded, batch.labels
        prototypes = self.transfer(self.means[labels])
        for loss in self.gan.critic_losses(real, prototypes.detach(), batch.noise):
            yield "critic", loss
        fakes = self.gan.sample(prototypes, batch.noise)
        judged = F.linear(fakes, self.judge.weight.detach(), self.judge.bias.detach())
        loss = F.cross_entropy(self.scores(real, batch.words), labels) + F.cross_entropy(self.judge(real), labels)
        loss = loss + self.gan.loss(real, prototypes, batch.noise) + F.cross_entropy(judged, labels)
        if batch.novel:
            loss = loss + F.cross_entropy(self.scores(fakes.detach(), batch.words), labels)
        yield "model", loss

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The critic's parameters, and all others."""
        critic = list(self.gan.critic.parameters())
        own = [each for each in self.parameters() if all(each is not other for other in critic)]
        return {"model": own, "critic": critic}

"""Where actors run, as a user asks for it."""

from dataclasses import dataclass

from mgcl.errors import ClusterError


@dataclass(frozen=True)
class Machines:
    """Where actors run.

    Attributes:
        address: of a running Ray cluster, whose nodes see the same folders; None starts one here.
        actors: at once; None: as many as its free CPUs and GPUs take.
        gpus_per_actor: share of a GPU; None: 1 where there are GPUs. Each actor has one CPU.
    """

    address: str | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no machine can give.

        Raises:
            ClusterError: names the value.
        """
        gpus = self.gpus_per_actor or 0
        if self.actors is not None and self.actors < 1:
            raise ClusterError(f"{self.actors} actors at once (--workers, --actors): choose at least 1")
        if not 0 <= gpus < float("inf") or (gpus > 1 and gpus != int(gpus)):
            raise ClusterError(f"a GPU share of {gpus}: choose 0, a fraction, or whole GPUs")

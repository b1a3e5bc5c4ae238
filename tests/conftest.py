"""Banks, a model hub, a store and a Ray cluster that tests share, and one torch thread, as in a worker."""

import atexit
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

# Read once, when huggingface_hub and Ray are imported; what tests start inherits it.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="mgcl-hub-")
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # who has it may join a cluster that tests start
os.environ["HF_HUB_OFFLINE"] = "1"
# Where none is named, the tests' backbone is tiny, whatever this machine has fetched.
os.environ["MGCL_HOME"] = os.path.join(os.environ["HF_HOME"], "mgcl")  # noqa: PTH118
os.environ["MGCL_EFFICIENTAT_WEIGHTS"] = os.environ["MGCL_EFFICIENTAT_TEXT"] = ""
# Threads that wait shall sleep: many processes share the cores.
os.environ["OMP_WAIT_POLICY"] = "passive"

import psutil
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from mgcl.features import FeatureBank

HUB = Path(os.environ["HF_HOME"])
atexit.register(shutil.rmtree, HUB, ignore_errors=True)
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# Eight processes that no test needs, beside each server.
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).parents[1]
REAL_BANK = Path(__file__).parents[2] / "shared" / "data" / "esc10-bank"
# Files whose tests take the longest start first, so that no core idles at the end.
LONGEST = ("test_slurm.py", "test_sweep_faults.py", "test_sweep.py", "test_search.py", "test_drill.py",
           "test_backbones.py", "test_classifier.py", "test_extraction_faults.py", "test_real_bank.py",
           "test_pairwise.py")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    import torch  # here, and not above: the process that hands out the tests needs none of it

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def unchecked_shapes() -> Iterator[None]:
    """For whole trials and classifiers: contracts check the shapes of every method that they run."""
    import jaxtyping

    with patch.object(jaxtyping.config, "jaxtyping_disable", True):
        yield


@pytest.fixture(scope="session")
def hub() -> Path:
    """The model hub's cache, with tiny random text models under the names of the real ones."""
    from tests.checkpoints.hub import write  # transformers takes seconds to import

    write(HUB)
    return HUB


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> "FeatureBank":
    """Small: 6 classes of 16 clips, 5 segments, d = 24."""
    from tests.generated_bank import write_generated_bank

    path = tmp_path_factory.mktemp("banks") / "generated"
    return write_generated_bank(path, classes=6, clips=16, segments=5, d=24)


@pytest.fixture(scope="session")
def audio_visual_bank(tmp_path_factory: pytest.TempPathFactory) -> "FeatureBank":
    """Small: 8 base, 4 and 4 novel classes of 16 clips."""
    from tests.generated_audio_visual_bank import write_generated_audio_visual_bank

    return write_generated_audio_visual_bank(tmp_path_factory.mktemp("banks") / "audio-visual")


@pytest.fixture(scope="session")
def zero_shot_bank(tmp_path_factory: pytest.TempPathFactory) -> "FeatureBank":
    """Small: 30 clips with labels, events and captions, of 4 classes and one that sounds nowhere."""
    from tests.generated_zero_shot_bank import write_zero_shot_bank

    return write_zero_shot_bank(tmp_path_factory.mktemp("banks") / "zero-shot")


@pytest.fixture(scope="session")
def phrase_bank(zero_shot_bank: "FeatureBank", tmp_path_factory: pytest.TempPathFactory) -> "FeatureBank":
    """Small: its clips, each asked for one phrase."""
    from tests.generated_zero_shot_bank import write_phrase_bank

    return write_phrase_bank(tmp_path_factory.mktemp("banks") / "phrases", zero_shot_bank)


@pytest.fixture(scope="session")
def real_bank() -> "FeatureBank":
    """The ESC-10 bank of real recordings; a clone does not have it."""
    if not REAL_BANK.is_dir():
        pytest.skip(f"{REAL_BANK} is not here")
    from mgcl.features import FeatureBank

    return FeatureBank.open(REAL_BANK)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store, copied into each place: making one takes MLflow seconds."""
    from mlflow import MlflowClient  # takes seconds to import

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@dataclass(frozen=True)
class SharedCluster:
    """A Ray cluster on this machine that commands join."""

    address: str
    process: psutil.Process

    @property
    def joined(self) -> tuple[str, str]:
        """The flags of a command that runs on it."""
        return "--address", self.address

    def workers(self, kind: str = "ImplicitFunc") -> list[psutil.Process]:
        """The processes that Ray calls so, of whatever command."""
        found = []
        for each in self.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found += [each] if each.name().startswith(f"ray::{kind}") else []
        return found


HOLD = """
import sys
import ray
from mgcl.cluster.connect import cluster
from mgcl.cluster.machines import Machines
with cluster(Machines(), cpus=4):
    print("address", ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[SharedCluster]:
    """One for all tests of this process; it ends when its standard input does."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        # Workers are no nicer than the tests that wait for them.
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_worker_niceness": "0"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        address = next(line.split()[1] for line in process.stdout if line.startswith("address "))
        yield SharedCluster(address, psutil.Process(process.pid))

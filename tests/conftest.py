"""Banks and a model hub that tests share, and one torch thread, as in a worker."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Read once, when huggingface_hub is imported; what tests start inherits it.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="mgcl-hub-")
os.environ["HF_HUB_OFFLINE"] = "1"
# Where none is named, the tests' backbone is tiny.
os.environ["MGCL_EFFICIENTAT_WEIGHTS"] = os.environ["MGCL_EFFICIENTAT_TEXT"] = ""
# Threads that wait shall sleep: many processes share the cores.
os.environ["OMP_WAIT_POLICY"] = "passive"

import pytest
import torch
from hypothesis import settings

from mgcl.features import FeatureBank
from tests.generated_bank import write_generated_bank

HUB = Path(os.environ["HF_HOME"])
atexit.register(shutil.rmtree, HUB, ignore_errors=True)
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# Eight processes that no test needs, beside each server.
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

REAL_BANK = Path(__file__).parents[2] / "shared" / "data" / "esc10-bank"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def hub() -> Path:
    """The model hub's cache, with tiny random text models under the names of the real ones."""
    from tests.checkpoints.hub import write  # transformers takes seconds to import

    write(HUB)
    return HUB


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> FeatureBank:
    """Small: 6 classes of 16 clips, 5 segments, d = 24."""
    path = tmp_path_factory.mktemp("banks") / "generated"
    return write_generated_bank(path, classes=6, clips=16, segments=5, d=24)


@pytest.fixture(scope="session")
def real_bank() -> FeatureBank:
    """The ESC-10 bank of real recordings; a clone does not have it."""
    if not REAL_BANK.is_dir():
        pytest.skip(f"{REAL_BANK} is not here")
    return FeatureBank.open(REAL_BANK)

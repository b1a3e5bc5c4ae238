"""Random numbers as a pure function of their purpose."""

import hashlib

import numpy as np

from mgcl.records import canonical_json


def seed_of(*identity: object) -> int:
    """A 63-bit seed that depends on every part of the identity and is the same on all machines."""
    digest = hashlib.sha256(canonical_json(identity).encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*identity: object) -> np.random.Generator:
    """NumPy generator (PCG64) with the seed of ``seed_of``."""
    return np.random.Generator(np.random.PCG64(seed_of(*identity)))

"""Random numbers as a pure function of what they are for."""

import hashlib

import numpy as np

from mgcl.records import canonical_json


def seed_of(*identity: object) -> int:
    """A 63-bit seed that depends on every part of the identity, on any machine."""
    digest = hashlib.sha256(canonical_json(identity).encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*identity: object) -> np.random.Generator:
    """A generator seeded by the identity."""
    return np.random.Generator(np.random.PCG64(seed_of(*identity)))

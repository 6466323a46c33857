"""How the standard model is configured in its tests, and what it saves."""

import hashlib
from pathlib import Path

from ml_assets.models.gbdt import GbdtConfig

FEATURES = ["user", "campaign", "device", "hour", "price", "returning"]
CONFIG = GbdtConfig(features=FEATURES, categorical=["user"])


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

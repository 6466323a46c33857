"""What a test asks `ml-assets new` for, and reads off the project then."""

from collections.abc import Callable
from pathlib import Path

import yaml
from click.testing import Result

NEW_SERVICE = ["--exposures", "store/visits", "--outcomes", "store/orders", "--id", "visit_id"]
New = Callable[..., Result]


def files(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }


def declared(path: Path) -> list[dict]:
    return [document["attributes"] for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]

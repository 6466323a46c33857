"""The test that a new model begins with: its notebook on seeded rows that look like the data it reads.

No value of a row is copied: of a file's first rows, only the names and types of columns, the bounds of numbers and the
levels of short categories.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from ml_assets.authoring.adapt import Read
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import LABEL_COLUMNS

_SAMPLE = 1000
#: A category that may be written into a test has at most so many levels, of at most so many characters together.
_LEVELS, _LENGTH = 8, 60
_READERS = {"read_csv", "read_table", "read_parquet", "read_feather", "read_json", "read_excel"}
#: Of the features that a new defs.yaml names.
_STANDARD = {"device": 'rng.choice(["phone", "desktop"], ROWS)', "hour": "rng.integers(0, 24, ROWS)"}

_TEMPLATE = '''\
"""The notebook of {{ name }}, run in a real kernel on small seeded examples."""

import numpy as np
import pandas as pd
import pytest

from ml_assets.project.project import Project
from ml_assets.testing.run_notebook import RunNotebook
{% if slow %}

pytestmark = pytest.mark.slow
{% endif %}

ROWS = 400


def examples() -> pd.DataFrame:
    """Labelled examples, as the notebook finds them in `training_data`."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2026-01-01", periods=ROWS, freq="min", tz="UTC")
    label = rng.integers(0, 2, ROWS)
    return pd.DataFrame(
        {
{% for column, code in columns.items() %}
            {{ column | quoted }}: {{ code }},
{% endfor %}
            # What labelling adds:
            "label": label,
            "label_age": 864_000.0,
            "mature": rng.random(ROWS) < 0.9,
            "outcome_time": (time + pd.Timedelta(hours=1)).where(label == 1),
            "outcome_known": (time + pd.Timedelta(hours=1)).where(label == 1),
        }
    )


def test_the_notebook_saves_a_model_that_the_metrics_notebook_can_judge(
    run_notebook: RunNotebook, ml_assets_project: Project
) -> None:
    trained = run_notebook("{{ name }}/model", inputs={"training_data": examples()})
    model = trained.load_model()
    missing = [name for name in model.columns if name not in examples()]
    if missing:
        pytest.skip(f"the model needs the columns {missing}, which no example has: make them inside of its Pipeline")
    predictions = model.predict(examples())
    assert len(predictions) == ROWS
    assert ((predictions >= 0) & (predictions <= 1)).all()

    *_, metrics = ml_assets_project.models["{{ name }}"].assets
    judged = run_notebook(metrics, inputs={"model": trained, "evaluation_data": examples()})
    assert judged.numbers["rows"] == ROWS
    assert "log_loss" in judged.numbers
'''


def render_test(
    name: str, exposures: EventLog, features: Sequence[str], samples: Iterable[tuple[Read, Path]], *, slow: bool
) -> str:
    """The test of a model: its examples have the columns of the exposures, of the features, and of files it reads."""
    columns = dict.fromkeys(exposures.columns.key, "np.arange(ROWS)")
    columns |= dict.fromkeys(exposures.columns.times, "time")
    columns |= {feature: _STANDARD.get(feature, "rng.random(ROWS)") for feature in features}
    for read, file in samples:
        found = _columns_of(read, file)
        columns |= {column: code for column, code in found.items() if column not in columns}
    columns = {column: code for column, code in columns.items() if column not in LABEL_COLUMNS}
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701  (no HTML)
    environment.filters["quoted"] = _quoted
    return environment.from_string(_TEMPLATE).render(name=name, columns=columns, slow=slow) + "\n"


def _columns_of(read: Read, file: Path) -> dict[str, str]:
    """The columns of a file, each with the code that draws such values; none where it cannot be read."""
    if read.reader not in _READERS:
        return {}
    options: dict[str, Any] = dict(read.options)
    if read.reader in ("read_csv", "read_table"):
        options["nrows"] = _SAMPLE
    try:
        frame = getattr(pd, read.reader)(file, **options)
    except (ValueError, TypeError, OSError, ImportError, KeyError):
        return {}
    if not isinstance(frame, pd.DataFrame):
        return {}
    if not frame.columns.is_unique:
        return {}
    # A column whose name is no text can be in no event log.
    names = [name for name in frame.columns if isinstance(name, str)]
    return {name: _drawn(frame[name].head(_SAMPLE).dropna()) for name in names}


def _drawn(values: pd.Series) -> str:
    """Code that draws values of this kind."""
    if pd.api.types.is_bool_dtype(values):
        return "rng.random(ROWS) < 0.5"
    if pd.api.types.is_integer_dtype(values) and len(values):
        if values.is_unique and len(values) > _LEVELS:
            return "np.arange(ROWS)"
        return f"rng.integers({values.min()}, {values.max() + 1}, ROWS)"
    if pd.api.types.is_float_dtype(values):
        low, high = (float(f"{bound:.2g}") for bound in (values.min(), values.max())) if len(values) else (0.0, 1.0)
        return f"rng.uniform({low}, {high}, ROWS)"
    if _are_times(values):
        return "time"
    levels = sorted({str(value) for value in values})
    if not 0 < len(levels) <= min(_LEVELS, len(values) // 2) or sum(map(len, levels)) > _LENGTH:
        levels = ["a", "b", "c"]
    return f"rng.choice([{', '.join(map(_quoted, levels))}], ROWS)"


def _are_times(values: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    return bool(len(values)) and bool(pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True).notna().all())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

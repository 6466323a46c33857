"""What a defs.yaml declares as `config` is what a notebook finds, equal in value and type, or the file is refused."""

import json
import math
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_shared.yaml_utils import parse_yamls_with_source_position
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml_assets.components import EvaluatedModel, EventLog
from ml_assets.declarations.files import _documents
from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.context import context_of_order
from ml_assets.notebooks.step import Step
from ml_assets.orchestration.running.orders import step_order

LOG = """
key: shop/{0}
location: shop/{0}
partitions: {{every: day, start: "2026-01-01", timezone: UTC}}
lookahead: 8d
columns: {{time: at, key: [id]}}
"""
MODEL = """
type: ml_assets.EvaluatedModel
attributes:
  name: shop/order
  exposures: shop/visits
  outcomes: shop/orders
  join: {{id: [id]}}
  training: {{window: 2d, attribution: 1d}}
  evaluation: {{window: 1d, horizons: [1d]}}
  config: {0}
"""
LOGS = {f"shop/{name}": EventLog(**yaml.safe_load(LOG.format(name))).to_spec() for name in ("visits", "orders")}


def arrived(config: str, folder: Path) -> Any:
    """What a notebook finds of a `config` in YAML, by the way that it takes.

    Raises: SpecError when the file is refused.
    """
    file = folder / "defs.yaml"
    file.write_text(MODEL.format(config), encoding="utf-8")
    (document,) = _documents(file)
    # As Dagster reads it.
    (parsed,) = parse_yamls_with_source_position(file.read_text(encoding="utf-8"), str(file))
    assert same(parsed.value, document)
    attributes = EvaluatedModel.get_model_cls()(**parsed.value["attributes"])  # type: ignore[misc]
    component = EvaluatedModel.resolve_from_model(dg.ResolutionContext.default(), attributes)
    model = component.to_spec(LOGS)
    calendar = model.partitions
    order = step_order(
        model,
        "model",
        None,
        calendar.key(5),
        cutoff=calendar.interval(5).end,
        run_id="test",
        folder=folder,
        inputs={},
        events=None,
        events_root=folder,
    )
    # A run, a test and Jupyter each write it down like this.
    path = folder / "order.json"
    path.write_text(order.model_dump_json(indent=1), encoding="utf-8")
    return Step.of(context_of_order(path)).config


def same(one: Any, other: Any) -> bool:
    """Equal in value and type, all the way down; NaN is NaN, and 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    return bool(one == other)


def written(value: Any) -> str:
    """A value in YAML as a person means it: text in quotes, all else without."""
    if isinstance(value, str):
        return '"' + "".join(one if one.isascii() and one.isalnum() else f"\\U{ord(one):08x}" for one in value) + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)}: {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return yaml.safe_dump(value).split("\n")[0]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["10", "1e5", "None", "True", "1,2", "0x1F", "[1]", "{'a': 1}", "2026-03-01", "on", "1_000", "012", "1:30", ".inf"]
)
# Two braces are a template.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**80), 10**80)
    | st.floats()
    | TEXTS.filter(lambda text: "{" not in text),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(config=st.dictionaries(TEXTS, VALUES, max_size=5))
@example(config={"cap": math.inf, "prior": math.nan, "low": -math.inf, "zero": -0.0, "text": "10\n"})
@settings(max_examples=60)
def test_a_notebook_finds_what_is_declared(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    assert same(arrived(written(config), tmp_path_factory.getbasetemp()), config)


#: What a person may write without quotes, and means by it.
PLAIN = st.from_regex(
    r"[-+.]?[0-9oxb_:.]{1,6}([eE][-+]?[0-9]{1,3})?", fullmatch=True, alphabet="0123456789oxb_:.eE+-"
) | (
    st.sampled_from(
        [
            "true",
            "True",
            "yes",
            "on",
            "off",
            "No",
            "null",
            "~",
            ".inf",
            "-.Inf",
            ".nan",
            "2026-03-01",
            "1e5",
            "012",
            "1_000",
            "1:30",
            "0x1F",
        ]
    )
)


@given(text=PLAIN)
@settings(max_examples=150)
def test_a_value_without_quotes_is_read_as_json_and_yaml_1_2_read_it_or_refused(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        found = arrived(f"{{of: {text}}}", tmp_path_factory.getbasetemp())["of"]
    except SpecError:
        return
    assert same(found, meant(text)), (text, found)


def meant(text: str) -> Any:
    """What YAML 1.2 reads."""
    known = {
        "true": True,
        "false": False,
        "null": None,
        "~": None,
        ".inf": math.inf,
        "-.inf": -math.inf,
        ".nan": math.nan,
    }
    if text.lower() in known:
        return known[text.lower()]
    if text.startswith("0x"):
        return int(text, 16) if len(text) > 2 and "_" not in text else text
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return text if "_" in text else float(text) if set(text) & set(".eE") else int(text)
    except ValueError:
        return text

"""The reference of the components holds each key of what a defs.yaml may declare, with what it means."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest
from dagster.components.core.package_entry import discover_package_objects
from pydantic import BaseModel

import ml_assets
from docs_site.components import components, components_page
from ml_assets import declarations
from ml_assets.declarations import pods
from ml_assets.declarations.reading import Declaration, Group, said

PAGE = components_page()
_MODULES = [import_module(f"{declarations.__name__}.{one.name}") for one in iter_modules(declarations.__path__)]
GROUPS = {
    one
    for module in _MODULES
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, Group) and one is not Group
}


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each key: the key, what it means, its value and its default."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" | ")]


def section(component: str) -> str:
    return PAGE.partition(f"\n## {component}\n")[2].partition("\n## ")[0]


def row_of(component: str, path: str) -> list[str]:
    group, _, key = path.rpartition(".")
    below = section(component).partition(f"\n### `{group}` ")[2] if group else section(component)
    return next(row for row in rows(below.partition("\n### ")[0]) if row[0] == f"`{key}`")


def test_every_component_that_dagster_finds_in_the_package_has_a_section() -> None:
    found = {key.name for key in discover_package_objects([ml_assets.__name__])}
    assert found == {*components()} >= {"EventLog", "EvaluatedModel"}
    assert all(section(name) for name in found)


@pytest.mark.parametrize("name", components())
def test_each_key_of_a_component_is_there_with_what_it_means(name: str) -> None:
    component = components()[name]
    assert issubclass(component, Declaration)
    own = [row[0].strip("`") for row in rows(section(name).partition("\n### ")[0])]
    assert own == list(component.model_fields)
    assert all(row[1] for row in rows(section(name)))


@pytest.mark.parametrize("group", sorted(GROUPS, key=lambda group: (group.__module__, group.__name__)))
def test_each_group_that_is_read_is_there_with_all_its_keys(group: type[BaseModel]) -> None:
    (said_once, *_) = (group.__doc__ or "").splitlines()
    below = PAGE.partition(f"\n\n{said_once}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    if not below:
        # Of a single step, the same keys as of all.
        assert group is pods.PodGroup
        assert {*group.model_fields} < {*pods.ModelGroup.model_fields}
        return
    assert [row[0].strip("`") for row in rows(below)] == list(group.model_fields)


@pytest.mark.parametrize(
    ("component", "path", "value", "default"),
    [
        ("EventLog", "key", "text", ""),
        ("EventLog", "lookahead", "duration", ""),
        ("EventLog", "known_delay", "duration", "`0h`"),
        ("EventLog", "restatement", "duration", "none"),
        ("EventLog", "columns", "[keys](#eventlog.columns)", ""),
        ("EventLog", "partitions.every", "`hour`, `day`, `week`", ""),
        ("EventLog", "arrival.marker", "text", "`_SUCCESS`"),
        ("EventLog", "arrival.watermark", "[keys](#eventlog.arrival.watermark)", "none"),
        ("EvaluationLoop", "executor", "`environment`, `project`", "`environment`"),
        ("EvaluationLoop", "keep_days", "whole number", "none"),
        ("EvaluatedModel", "history", "list of [keys](#evaluatedmodel.history)", "none"),
        ("EvaluatedModel", "owners", "list of text", "none"),
        ("EvaluatedModel", "partitions_per_run", "whole number", "`10`"),
        ("EvaluatedModel", "evaluation.horizons", "list of duration", ""),
        ("EvaluatedModel", "notebooks.model", "text", "`notebooks/standard/model.ipynb`"),
        ("EvaluatedModel", "kubernetes.cpu", "text or number", "none"),
        ("EvaluatedModel", "kubernetes.memory", "text or whole number", "none"),
        ("EvaluatedModel", "kubernetes.volumes.read_only", "true or false", "`false`"),
    ],
)
def test_values_and_defaults_are_told_in_words(component: str, path: str, value: str, default: str) -> None:
    assert row_of(component, path)[2:] == [value, default]


def test_a_key_that_nobody_describes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Undescribed(Declaration):
        told: str
        untold: str

    monkeypatch.setattr(f"{components.__module__}.components", lambda: {"Undescribed": Undescribed})
    with pytest.raises(TypeError, match="Undescribed does not say what its key told means"):
        components_page()


def test_what_a_key_means_is_in_the_schema_that_editors_read() -> None:
    schema = components()["EvaluatedModel"].get_model_cls()
    assert schema is not None
    assert schema.model_json_schema()["properties"]["training"]["description"] == "What it learns from."
    assert said("What it learns from.").description == "What it learns from."

"""YAML of the pages is read by the real components, each piece of a declaration within a whole one."""

import re
from collections.abc import Iterator
from copy import deepcopy
from importlib import import_module
from typing import Any

import pytest
import yaml
from dagster._core.launcher import RunLauncher

from ml_assets.components import EvaluatedModel, EvaluationLoop, EventLog
from ml_assets.project.project import Project
from tests.support.pages import BLOCKS, Block
from tests.support.projects import TeamProject

YAML = [block for block in BLOCKS if block.language == "yaml"]
TYPES = {f"ml_assets.{one.__name__}": one for one in (EventLog, EvaluatedModel)}
#: Keys that both components have are those of a log here.
OF_LOG = {*EventLog.model_fields}


def documents(block: Block) -> Iterator[dict[str, Any]]:
    """What a block declares: where a key of its first level comes again, another example begins."""
    seen: set[str] = set()
    parts = [""]
    for line in block.text.splitlines(keepends=True):
        key = re.match(r"\w+(?=:)", line)
        if key and key[0] in seen:
            parts.append("")
            seen.clear()
        seen |= {key[0]} if key else set()
        parts[-1] += line
    for part in parts:
        read = yaml.safe_load(part)
        assert isinstance(read, dict), f"{block} holds no keys"
        yield read


DOCUMENTS = [(block, document) for block in YAML for document in documents(block)]
#: Of a project, not of a model or a log.
LOOPS = [one for _, one in DOCUMENTS if one.get("type") == "ml_assets.EvaluationLoop"]
#: What pieces of declarations are put into.
LOG, MODEL = (one for block, one in DOCUMENTS if block.page == "docs/your-model.md" and "type" in one)


def completed() -> Iterator[dict[str, Any]]:
    """Every declaration of the pages under a name of its own, and the logs that its models read."""
    for number, (_, document) in enumerate(DOCUMENTS):
        if {*document} == {"run_launcher"} or document in LOOPS:
            continue
        if "type" in document:
            one = deepcopy(document)
        else:
            base = LOG if {*document} <= OF_LOG else MODEL
            one = {"type": base["type"], "attributes": {**deepcopy(base["attributes"]), **document}}
        one["attributes"]["key" if one["type"] == LOG["type"] else "name"] = f"documented/number_{number}"
        yield one
    for key in ("news/clicks", "news/signups"):
        yield {"type": LOG["type"], "attributes": {**LOG["attributes"], "key": key, "location": key}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A team's project that declares all that the pages do; notebooks that they name are copies of the standard one."""
    declared = list(completed())
    logs = [one for one in declared if one["type"] == LOG["type"]]
    models = [one for one in declared if one["type"] == MODEL["type"]]
    defs = {"documented/logs": yaml.safe_dump_all(logs)}
    defs |= {one["attributes"]["name"]: yaml.safe_dump(one) for one in models}
    team = TeamProject.make(tmp_path_factory.mktemp("documented"), "documented_yaml", defs)
    for model in models:
        for step, path in model["attributes"].get("notebooks", {}).items():
            target = team.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((team.root / f"notebooks/standard/{step}.ipynb").read_bytes())
    return team.project


def test_every_declaration_of_the_pages_is_accepted(project: Project) -> None:
    expected = {one["attributes"].get("key") or one["attributes"]["name"] for one in completed()}
    assert {*project.logs, *project.models} == expected
    assert len(DOCUMENTS) > 10


def test_pieces_of_declarations_say_something_of_a_model_or_of_a_log(project: Project) -> None:
    read = [*project.logs.values(), *project.models.values()]
    assert {type(log.arrival).__name__ for log in project.logs.values()} == {"Marker", "Settled", "Watermark"}
    assert any(log.table for log in project.logs.values())
    assert {model.engine for model in project.models.values()} == {"duckdb", "spark"}
    assert len(read) == len([*completed()])


@pytest.mark.parametrize("document", LOOPS)
def test_a_loop_of_the_pages_is_accepted(document: dict[str, Any]) -> None:
    loop = EvaluationLoop(**document["attributes"])
    assert set(loop.to_storage().model_dump()) == set(document["attributes"]["storage"])
    assert loop.to_spark() == document["attributes"]["spark"]


@pytest.mark.parametrize("document", [one for _, one in DOCUMENTS if "run_launcher" in one])
def test_a_launcher_that_a_page_names_is_one(document: dict[str, dict[str, str]]) -> None:
    named = document["run_launcher"]
    assert issubclass(getattr(import_module(named["module"]), named["class"]), RunLauncher)

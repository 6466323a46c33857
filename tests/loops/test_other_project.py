"""The package as a wheel, in a Dagster project that is not its checkout: what docs/your-project.md says.

"Begin one" is done by the fixtures and the first tests, "Or add it to yours" by those that scaffold.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.loops.other_project import OWN, TAKEN, Theirs, loaded
from tests.support.dockerfile import Image
from tests.support.installed import install_wheel
from tests.support.webserver import answers, free_port

pytestmark = pytest.mark.slow

MODEL, METRICS, JUDGED = "news/signup", "news/signup/metrics_1d", "2026-01-02"
#: The days of exposures, and of outcomes.
EXPOSED, KNOWN = ("2026-01-01", "2026-01-02", "2026-01-03"), ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")
ROWS = 300
#: What a person edits of what `new` wrote.
EDITS = {
    "window: 28d, gap: 0d, attribution: 7d": "window: 2d, gap: 0d, attribution: 1d",
    "horizons: [1d, 7d]": "horizons: [1d]",
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    folder = tmp_path_factory.mktemp("elsewhere")
    installed = install_wheel(folder / "environment")
    theirs = Theirs(folder / "acme-models", installed)
    theirs.run("ml-assets", "init", str(theirs.root), cwd=folder)
    installed.install("--editable", str(theirs.root))
    # As `make setup` leaves it.
    (theirs.root / ".venv").symlink_to(installed.folder)
    (theirs.root / ".venv" / ".ready").touch()
    return theirs


@pytest.fixture(scope="module")
def with_a_model(theirs: Theirs) -> Theirs:
    """The project once `new` has added a model, whose lines to be edited were edited, and events have arrived."""
    theirs.run("ml-assets", "new", MODEL, "--start", "2026-01-01")
    file = theirs.package / "defs/news/signup/defs.yaml"
    text = file.read_text()
    for old, new in EDITS.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    for number, day in enumerate(KNOWN):
        rng = np.random.default_rng(number)
        times = pd.date_range(day, periods=ROWS, freq="4min", tz="UTC")
        ids = np.arange(ROWS) + number * ROWS
        clicked = rng.random(ROWS) < 0.3
        rows = pd.DataFrame({"exposure_id": ids, "event_time": times})
        rows = rows.assign(device=rng.choice(["phone", "desktop"], ROWS), hour=times.hour)
        frames = {"outcomes": rows.loc[clicked, ["exposure_id", "event_time"]]}
        if day in EXPOSED:
            frames["exposures"] = rows
        for log, frame in frames.items():
            part = theirs.root / f".home/events/news/{log}/date={day}"
            part.mkdir(parents=True)
            frame.to_parquet(part / "part-0.parquet", index=False)
            (part / "_SUCCESS").touch()
    return theirs


@pytest.fixture(scope="module")
def judged(with_a_model: Theirs) -> Iterator[Theirs]:
    """The project once `dagster dev` alone has made the metrics."""
    theirs, port = with_a_model, free_port()
    theirs.run("ml-assets", "home")
    log = theirs.root / "dev.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["dagster", "dev", "--port", str(port)],
            cwd=theirs.root,
            env=theirs.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 600
        while not any((theirs.root / f".home/artifacts/{METRICS}/{JUDGED}").glob("*/manifest.json")):
            assert process.poll() is None, log.read_text()
            assert "Error loading" not in log.read_text(), log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        assert answers(f"http://127.0.0.1:{port}")
        # The run has yet to record what it wrote.
        while theirs.run("ml-assets", "lineage", METRICS, JUDGED, check=False).returncode:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        yield theirs
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_nothing_of_the_checkout_is_found_there(theirs: Theirs) -> None:
    found = theirs.python("import ml_assets; print(ml_assets.__file__)").strip()
    assert Path(found).is_relative_to(theirs.installed.folder)
    # The demo's models are the checkout's.
    assert not (Path(found).parent / "defs").exists()


def test_a_fresh_project_passes_its_own_tests(theirs: Theirs) -> None:
    printed = theirs.run("make", "test").stdout
    assert "All definitions loaded successfully." in printed
    assert "1 passed" in printed


def test_components_are_listed_with_their_words_and_schema_and_scaffolded(theirs: Theirs) -> None:
    loop = theirs.package / "defs/loop/defs.yaml"
    text = loop.read_text()
    shutil.rmtree(loop.parent)
    listed, schema, *_ = theirs.dg(
        ["list", "components", "--json"],
        ["utils", "inspect-component", "ml_assets.EvaluatedModel"],
        ["scaffold", "defs", "ml_assets.EventLog", "shop/logs"],
        ["scaffold", "defs", "ml_assets.EvaluatedModel", "shop/order"],
    )
    items = json.loads(listed)["items"]
    ours = {one["key"]: one["summary"] for one in items if one["key"].startswith("ml_assets.")}
    assert set(ours) == {"ml_assets.EventLog", "ml_assets.EvaluatedModel", "ml_assets.EvaluationLoop"}
    assert "judged at each horizon" in ours["ml_assets.EvaluatedModel"]
    assert all(f'"{key}"' in schema for key in ("exposures", "outcomes", "join", "training"))
    said = "nothing drives it: its project declares no loop yet; add that by: dg scaffold defs ml_assets.EvaluationLoop"
    assert said in loaded(theirs)
    theirs.dg(["scaffold", "defs", "ml_assets.EvaluationLoop", "loop"])
    assert loop.read_text() == text
    assert loaded(theirs) == "shop_sensor"
    shutil.rmtree(theirs.package / "defs/shop")


def test_a_project_has_assets_resources_and_an_executor_of_its_own(theirs: Theirs) -> None:
    own, loop = theirs.package / "defs/own/own.py", theirs.package / "defs/loop/defs.yaml"
    text = loop.read_text()
    own.parent.mkdir()
    own.write_text(TAKEN)
    assert "different resources with same key 'events'" in loaded(theirs)
    own.write_text(OWN)
    loop.write_text(text.replace("executor: environment", "executor: project"))
    assert loaded(theirs) == ""
    loop.write_text(text)
    shutil.rmtree(own.parent)


def test_dagster_dev_makes_the_metrics_of_a_model_that_new_has_added_by_sensors_alone(judged: Theirs) -> None:
    metrics, lineage, executed, planned = judged.answers(
        ["metrics", MODEL, "--json"],
        ["lineage", METRICS, JUDGED],
        ["notebook", METRICS, JUDGED],
        ["plan", METRICS, "--to", JUDGED],
    )
    rows = {row["metric"]: row for row in json.loads(metrics)["metrics"] if row["partition"] == JUDGED}
    assert rows["log_loss"]["value"] > 0
    assert rows["log_loss"]["examples"] == ROWS
    assert "news/exposures" in lineage
    assert Path(executed.strip()).is_relative_to(judged.root / ".home/notebooks")
    assert "nothing to make" in planned


def test_jupyter_and_the_tests_of_the_model_work_there(judged: Theirs) -> None:
    opened = judged.python(
        "from ml_assets.jupyter import context_of\n"
        "from ml_assets.notebooks.step import Step\n"
        f"print(len(Step.of(context_of('{MODEL}/evaluation_data_1d', '{JUDGED}')).examples()))",
        cwd=judged.root / "notebooks",
    )
    assert opened.split()[-1] == str(ROWS)
    assert "2 passed" in judged.run("python", "-m", "pytest").stdout


def test_a_copied_notebook_is_the_project_s_own_and_outdates_nothing_until_it_or_the_package_changes(
    judged: Theirs,
) -> None:
    code = f"""
from pathlib import Path
import ml_assets.metrics.log_loss
from ml_assets.authoring.pairs import bring_into_step, find_pairs
from ml_assets.authoring.standard import CopyError, copy_standard
from ml_assets.orchestration.assets import code_versions
from ml_assets.project.project import Project

project = Project(Path('.home'))
versions = lambda: code_versions(project.models.values(), project.root)['{METRICS}']
copies = lambda: copy_standard(project.root, ['metrics'])
found = [versions()]
written = copies()
found.append(versions())
try:
    copies()
except CopyError as error:
    print(error)
py = project.root / written[1]
py.write_text(py.read_text() + '\\n# %%\\nmore = 1\\n')
[bring_into_step(one, 'py') for one in find_pairs([py])]
found.append(versions())
[(project.root / path).unlink() for path in written]
found.append(versions())
module = Path(ml_assets.metrics.log_loss.__file__)
text = module.read_text()
module.write_text(text + '\\nADDED = 1\\n')
found.append(versions())
module.write_text(text)
print(*(found.index(one) for one in found))
"""
    refused, versions = judged.python(code).splitlines()[-2:]
    assert refused.endswith("notebooks/standard/metrics.ipynb is there already, and would be overwritten")
    as_before, changed, upgraded = "0", "2", "4"
    assert versions.split() == [as_before, as_before, changed, as_before, upgraded]


def test_its_image_loads_its_definitions(judged: Theirs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What it depends on is found where the tests have it, as in the environment, and not installed again.
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    (packages,) = (judged.installed.folder / "lib").glob("python3.*/site-packages")
    (tmp_path / "image/opt").mkdir(parents=True)
    (tmp_path / "image/opt/found.pth").write_text(f"{packages}\n{judged.installed.folder / 'dependencies'}\n")
    text, made = (judged.root / "Dockerfile").read_text(), "RUN python -m venv /opt/venv"
    assert made in text
    there = f"/opt/venv/lib/{packages.parent.name}/site-packages"
    (tmp_path / "Dockerfile").write_text(text.replace(made, f"{made} && cp /opt/found.pth {there}"))
    image = Image(tmp_path / "image", judged.root, judged.installed.python, None)
    image.build(tmp_path / "Dockerfile")
    assert image.skipped, "Debian's packages are left out"
    assert image.command[-6:-4] == ["--module-name", "acme_models.definitions"]
    process = image.started([*image.entry_point, "python", "-c", "from acme_models.definitions import defs; defs()"])
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output

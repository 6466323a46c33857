"""The image: what its Dockerfile says, and its own steps run in an empty folder by a user without rights.

Not covered here: that the base image can be pulled, and the steps for root (Debian's packages and the user).
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.dockerfile import Image, instructions
from tests.support.projects import REPOSITORY

DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
NOBODY = 65534
#: A package that the image does not have, small and without any of its own.
EXTRA = "iniconfig>=2"


def of(name: str) -> list[str]:
    return [one.rest for one in instructions(DOCKERFILE) if one.name == name]


def locked(path: str) -> dict[str, str]:
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)", text, flags=re.MULTILINE))


def test_the_user_has_no_rights_and_a_number_that_kubernetes_can_check() -> None:
    [user] = of("USER")
    assert user == "10001:10001"


def test_the_entry_point_becomes_the_command_that_it_is_given_as_runs_and_steps_are_commands_of_their_own() -> None:
    [entry_point] = map(json.loads, of("ENTRYPOINT"))
    assert entry_point == ["env", "--default-signal=INT"]
    shown = "import os, signal; print(os.getpid(), signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *entry_point, sys.executable, "-c", shown]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.communicate(timeout=60)[0].split() == [str(process.pid), "True"]
    [command] = of("CMD")
    assert "ml_assets.definitions" in command


def test_the_last_stage_has_neither_build_tools_nor_package_installers() -> None:
    steps = instructions(DOCKERFILE)
    last = steps[max(number for number, step in enumerate(steps) if step.name == "FROM") :]
    runs = " ".join(step.rest for step in last if step.name == "RUN")
    assert "pip" not in runs
    assert not re.search(r"gcc|build-essential|-dev\b|git", runs)
    assert [step.rest for step in last if step.name == "COPY"] == [
        "--from=build /opt/venv /opt/venv",
        "--from=build /opt/ml-assets /opt/ml-assets",
    ]


def test_all_stages_are_of_one_base_image() -> None:
    assert {image.split()[0] for image in of("FROM")} == {"python:3.11-slim-bookworm"}


def test_the_lock_of_the_image_has_the_versions_of_the_tests_and_no_host() -> None:
    image, tests = locked("deploy/requirements.lock"), locked("requirements.lock")
    assert len(image) > 100
    assert {name: version for name, version in image.items() if tests.get(name) != version} == {}
    assert "://" not in (REPOSITORY / "deploy" / "requirements.lock").read_text(encoding="utf-8")
    assert {"dagster-postgres", "dagster-k8s", "hdfs-native", "s3fs"} <= set(image)
    assert not {"pytest", "ruff", "moto", "jupyterlab"} & set(image)


def test_what_is_copied_is_not_ignored() -> None:
    kept = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [source for copy in of("COPY") if not copy.startswith("--from") for source in copy.split()[:-1]]
    assert {f"!{source}" for source in copied} <= set(kept)
    assert "*" in kept


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def python_for_all() -> Path | None:
    """A Python 3.11 that a user without rights can start: the base image's stand-in."""
    for candidate in (sys._base_executable, "/usr/bin/python3.11", "/usr/local/bin/python3.11"):  # type: ignore[attr-defined]
        command = [candidate, "-c", "import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))"]
        uid = NOBODY if os.getuid() == 0 else None
        try:
            done = subprocess.run(command, user=uid, check=False, capture_output=True, cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            return Path(candidate)
    return None


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    python = python_for_all()
    if python is None:
        pytest.skip("no Python 3.11 here can be started by a user without rights")
    # pytest's own folder is its user's alone.
    root = Path(os.path.realpath(f"/var/tmp/ml-assets-image-{os.getpid()}"))
    root.mkdir()
    made = Image(root, REPOSITORY, python, NOBODY if os.getuid() == 0 else None)
    try:
        made.build(DOCKERFILE, EXTRA_REQUIREMENTS=EXTRA)
        made.make_read_only()
        yield made
    finally:
        made.make_writable()
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.slow
def test_the_steps_make_a_code_server_that_is_healthy_on_a_read_only_root(image: Image) -> None:
    port = str(free_port())
    command = [port if word == "3030" else word for word in image.command]
    server = image.started(command, ML_ASSETS_ENVIRONMENT="local")
    try:
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=120)
            # What the probes of the manifests ask.
            ask = health_pb2.HealthCheckRequest(service="DagsterApi")
            answer = health_pb2_grpc.HealthStub(channel).Check(ask, timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        # Asked until it answers, as Docker does.
        for _ in range(5):
            check = image.started([port if word == "3030" else word for word in image.health])
            output, _ = check.communicate(timeout=60)
            if check.returncode == 0:
                break
        assert check.returncode == 0, output
    finally:
        server.terminate()
        output, _ = server.communicate(timeout=60)
    assert "Traceback" not in output, output


@pytest.mark.slow
def test_the_image_has_compiled_what_it_runs_and_writes_nothing_beside_it(image: Image) -> None:
    for folder in ("opt/ml-assets/ml_assets", "opt/venv/lib/python3.11/site-packages/dagster"):
        sources = list((image.root / folder).rglob("*.py"))
        compiled = {path.name.split(".")[0] for path in (image.root / folder).rglob("*.pyc")}
        assert sources
        assert {path.stem for path in sources} <= compiled
    assert image.environment["PYTHONDONTWRITEBYTECODE"] == "1"


@pytest.mark.slow
def test_the_command_of_the_helm_chart_starts_the_guarded_ui(image: Image) -> None:
    process = image.started(["dagster-webserver", "--help"])
    output, _ = process.communicate(timeout=60)
    assert output.startswith("Usage: ml-assets webserver"), output


@pytest.mark.slow
def test_a_derived_image_has_the_packages_of_its_build_argument(image: Image) -> None:
    assert "iniconfig" not in locked("deploy/requirements.lock")
    process = image.started(["python", "-c", "import iniconfig"])
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


@pytest.mark.slow
def test_a_notebook_kernel_starts_on_a_read_only_root(image: Image) -> None:
    code = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(startup_timeout=90)\n"
        "reply = client.execute_interactive('import pandas, lightgbm, matplotlib.pyplot, duckdb; print(1)', timeout=90)\n"
        "assert reply['content']['status'] == 'ok', reply\n"
        "manager.shutdown_kernel(now=True)\n"
    )
    process = image.started(["python", "-c", code])
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output


@pytest.mark.slow
def test_only_the_steps_for_root_were_left_out(image: Image) -> None:
    assert len(image.skipped) == 2
    assert all(step.startswith(("apt-get", "useradd")) for step in image.skipped)

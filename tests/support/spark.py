"""Whether Spark can run here, a session for tests, and a real cluster: a standalone master with two workers."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

JAVA = shutil.which("java") or os.environ.get("JAVA_HOME")
NO_JAVA = "Java is missing; on Debian: apt-get install openjdk-17-jre-headless"
#: A JVM of a test lives for seconds, in which the better compiler and collector do not pay.
JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
#: Of every session in a test: small, on loopback alone.
SETTINGS = {
    "spark.executor.extraJavaOptions": JVM,
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "768m",
    "spark.pyspark.python": sys.executable,
}
_STARTED = re.compile(r"Starting Spark master at (spark://\S+)")


@contextmanager
def local_session(**settings: str) -> Iterator[Any]:
    """A local session, made as in a notebook's kernel, and stopped."""
    from ml_assets.notebooks.spark import spark_session

    session = spark_session({**SETTINGS, "spark.master": "local[2]", **settings}, name="tests")
    try:
        yield session
    finally:
        session.stop()


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of a master on loopback that has two workers of one core."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        master, log = _start(folder / "master", "master.Master")
        started.append(master)
        address = _said(log, _STARTED)
        for number in range(2):
            work = folder / f"worker-{number}"
            limits = ("--cores", "1", "--memory", "1g", "--work-dir", str(work / "work"))
            worker, log = _start(work, "worker.Worker", *limits, address)
            started.append(worker)
            _said(log, re.compile(r"Successfully registered with (master)"))
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def _start(folder: Path, name: str, *arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
    import pyspark

    folder.mkdir(parents=True)
    home, log = Path(pyspark.__file__).parent, folder / "log"
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    # The script becomes the process itself.
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]
    where = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *where, *arguments], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    return process, log


def _said(log: Path, words: re.Pattern[str]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := words.search(log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.2)
    raise TimeoutError(f"Spark did not say {words.pattern!r} within a minute:\n{log.read_text(encoding='utf-8')}")

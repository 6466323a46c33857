"""A real HDFS on this machine: a NameNode and DataNodes, from the jars of Hadoop's minicluster, which Maven fetches."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.support.spark import JAVA, JVM, NO_JAVA

_VERSION = "3.4.1"
_JARS = ("hadoop-client-minicluster", "hadoop-client-api", "hadoop-client-runtime")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ml_assets-tests", f"hadoop-{_VERSION}")
_SECONDS = 90
_HDFS = "org.apache.hadoop.hdfs"
_NAME_NODE = f"{_HDFS}.server.namenode.NameNode"
_DATA_NODE = f"{_HDFS}.server.datanode.DataNode"


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def hdfs_server(*, data_nodes: int = 1) -> Iterator["Hdfs"]:
    """A file system of its own, which ends with this context. Skips the test that asks for it where none can be run.

    Args: `data_nodes`: each has every block. Of one alone the client is told half a second late that a file is whole.
    """
    jars = _jars()
    # Not below pytest's folders, whose names hold brackets: Hadoop takes its folders for URLs.
    folder = _temporary()
    server = Hdfs(folder, jars, data_nodes)
    try:
        server.format()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


@dataclass
class Hdfs:
    """A NameNode on a port of this machine alone, and its DataNodes; what they hold outlives a kill."""

    folder: Path
    jars: Path
    data_nodes: int
    port: int = field(default_factory=_free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Such as `hdfs://127.0.0.1:8020`."""
        return f"hdfs://127.0.0.1:{self.port}"

    def format(self) -> None:
        """Write the settings, and make the empty file system."""
        local = "127.0.0.1:0"
        settings = {
            "fs.defaultFS": self.url,
            "hadoop.tmp.dir": str(self.folder / "tmp"),
            "dfs.namenode.name.dir": (self.folder / "name").as_uri(),
            "dfs.namenode.http-address": local,
            "dfs.namenode.safemode.min.datanodes": str(self.data_nodes),
            "dfs.namenode.safemode.extension": "0",
            "dfs.datanode.address": local,
            "dfs.datanode.http.address": local,
            "dfs.datanode.ipc.address": local,
            "dfs.replication": str(self.data_nodes),
            "dfs.heartbeat.interval": "1",
        }
        self._configure(settings)
        # Another JVM, for files that hold nothing of this one.
        formatted, name = self.jars / "formatted", self.folder / "name"
        if not formatted.exists():
            self._wait(self._run(_NAME_NODE, "-format", "-force", "-nonInteractive"))
            arriving = shutil.copytree(name, Path(tempfile.mkdtemp(dir=self.jars), "formatted"))
            with suppress(OSError):
                arriving.rename(formatted)
            shutil.rmtree(arriving.parent)
        else:
            shutil.copytree(formatted, name)

    def start(self) -> None:
        """Start all, and wait until files can be written."""
        self.start_name_node()
        self.start_data_nodes()

    def start_name_node(self) -> None:
        """Start the NameNode alone, which stays in safe mode until its DataNodes have come."""
        self.processes[_NAME_NODE] = self._run(_NAME_NODE)
        self._wait_until(self._listens)

    def start_data_nodes(self) -> None:
        """Start the DataNodes, and wait until files can be written."""
        for number in range(self.data_nodes):
            data = (self.folder / f"data{number}").as_uri()
            self.processes[f"{_DATA_NODE} {number}"] = self._run(_DATA_NODE, "-D", f"dfs.datanode.data.dir={data}")
        self._wait_until(self._takes_files)

    def kill(self) -> None:
        """End all as `kill -9` does."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait(_SECONDS)
        self.processes = {}

    def _configure(self, settings: Mapping[str, str]) -> None:
        conf = self.folder / "conf"
        conf.mkdir()
        for name in ("core-site.xml", "hdfs-site.xml"):
            (conf / name).write_text(configuration(settings), encoding="utf-8")

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        java = shutil.which("java") or str(Path(JAVA or "", "bin", "java"))
        # What a killed JVM leaves goes with our folder.
        own = [f"-Djava.io.tmpdir={self.folder}", "-cp", f"{self.folder / 'conf'}:{self.jars}/*"]
        command = [java, *JVM.split(), "-Xmx256m", *own, name, *arguments]
        # It ends with us, even if we are killed.
        with self._log.open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        assert process.wait(_SECONDS) == 0, self._log.read_text(encoding="utf-8")

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not holds():
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            log = self._log.read_text(encoding="utf-8", errors="replace")
            if ended or time.monotonic() > deadline:
                raise TimeoutError(f"HDFS did not start; ended: {ended}\n{log}")
            time.sleep(0.1)

    def _listens(self) -> bool:
        with closing(socket.socket()) as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def _takes_files(self) -> bool:
        from hdfs_native import Client, WriteOptions

        client = Client(self.url)
        try:
            with client.create("/.ready", WriteOptions(overwrite=True)) as file:
                file.write(b"ready")
            client.delete("/.ready")
        except RuntimeError as error:
            if "SafeMode" in str(error) or "could only be written" in str(error):
                return False
            raise
        return True


def configuration(settings: Mapping[str, str]) -> str:
    """What Hadoop's `*-site.xml` hold."""
    properties = (
        f"<property><name>{name}</name><value>{escape(value)}</value></property>" for name, value in settings.items()
    )
    return f"<configuration>{''.join(properties)}</configuration>"


def _jars() -> Path:
    """The folder of the jars, fetched by the first that asks. Skips the test where they cannot be."""
    if JAVA is None:
        pytest.skip(NO_JAVA)
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with _CACHE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _CACHE.exists():
            _fetch()
    return _CACHE


def _fetch() -> None:
    if shutil.which("mvn") is None:
        pytest.skip("Maven is missing, which fetches HDFS; on Debian: apt-get install maven")
    work = _temporary()
    try:
        dependencies = "".join(
            f"<dependency><groupId>org.apache.hadoop</groupId><artifactId>{jar}</artifactId>"
            f"<version>{_VERSION}</version></dependency>"
            for jar in _JARS
        )
        (work / "pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>tests</groupId><artifactId>tests</artifactId>"
            f"<version>1</version><dependencies>{dependencies}</dependencies></project>",
            encoding="utf-8",
        )
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
        found = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False, timeout=600)
        if found.returncode:
            pytest.skip(f"Maven could not fetch HDFS: {found.stdout[-500:]}")
        # Whole or not at all.
        arriving = _CACHE.with_suffix(".new")
        shutil.rmtree(arriving, ignore_errors=True)
        shutil.move(work / "lib", arriving)
        arriving.rename(_CACHE)
    finally:
        shutil.rmtree(work)


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="hdfs-", dir="/tmp"))

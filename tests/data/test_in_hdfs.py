"""What only HDFS does, on a real one: files are seen while they are written, and renamed at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import ibis
import pytest

from ml_assets.data.artifacts.store import MANIFEST, ArtifactError, ArtifactStore
from ml_assets.data.engines.parquet import read_parquet
from tests.support.hdfs import Hdfs, configuration
from tests.support.s3 import variables
from tests.support.stores import HOURS, KEY, clicks, remote, write

pytestmark = pytest.mark.slow

#: Writes files, and has none of them closed.
WRITER = """
import sys, time
from ml_assets.paths import path_of

files = [path_of(one).open("wb") for one in sys.argv[1:]]
for file in files:
    file.write(b"half" * 1_000_000)
print("written", flush=True)
time.sleep(600)
"""


def test_a_manifest_is_never_seen_in_part_and_is_written_once_whoever_races(hdfs: Hdfs) -> None:
    store = ArtifactStore(remote(f"{hdfs.url}/race"))
    seen: set[str] = set()
    problems: set[str] = set()

    def publish(attempt: int) -> str:
        with store.draft(*KEY) as draft:
            together.wait()
            try:
                return store.publish(draft, {"data_version": str(attempt)}, to=store.folder(*KEY)).data_version
            except ArtifactError as error:
                return str(error)

    def look() -> None:
        together.wait()
        while not seen:
            try:
                seen.add(store.load(*KEY).data_version)
            except ArtifactError as error:
                problems.add(str(error))

    attempts = 3
    together = Barrier(attempts + 1)
    with ThreadPoolExecutor(attempts + 1) as threads:
        looking = threads.submit(look)
        published = sorted(threads.map(publish, range(attempts)))
        looking.result()
    assert published[:1] == [store.load(*KEY).data_version] == list(seen)
    assert all("has been published by" in said for said in published[1:])
    assert all(said.endswith("manifest.json is missing") for said in problems)
    assert [path.name for path in store.folder(*KEY).iterdir()] == [MANIFEST]


def test_a_file_is_created_by_one_alone(hdfs: Hdfs) -> None:
    path = remote(f"{hdfs.url}/lock")
    with path.open("xb") as file:
        file.write(b"mine")
    with pytest.raises(FileExistsError, match=r"/lock .*already exists$"), path.open("xb"):
        pass
    assert path.read_bytes() == b"mine"


def test_what_a_killed_process_was_writing_is_written_by_the_next(hdfs: Hdfs) -> None:
    root = remote(f"{hdfs.url}/killed writer")
    store = ArtifactStore(root)
    notebook, half = root / "a.ipynb", store.folder(*KEY) / "half.parquet"
    command = [sys.executable, "-c", WRITER, str(notebook), str(half)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.kill()
    # The NameNode waits a minute for it.
    notebook.write_bytes(b"whole")
    with store.draft(*KEY) as draft:
        (draft / "whole.parquet").write_bytes(b"whole")
        made = store.publish(draft, {"data_version": "abc"}, to=store.folder(*KEY))
    assert notebook.read_bytes() == b"whole"
    assert made.manifest["files"] == {"whole.parquet": 5}
    assert not half.exists()


@pytest.mark.parametrize("url", ["hdfs://cluster", "hdfs://"])
def test_a_name_service_is_found_by_hadoops_settings_though_its_first_name_node_is_away(
    hdfs: Hdfs, tmp_path: Path, url: str
) -> None:
    settings = {
        "fs.defaultFS": "hdfs://cluster",
        "dfs.nameservices": "cluster",
        "dfs.ha.namenodes.cluster": "away,here",
        "dfs.namenode.rpc-address.cluster.away": "127.0.0.1:9",
        "dfs.namenode.rpc-address.cluster.here": hdfs.url.removeprefix("hdfs://"),
    }
    for name in ("core-site.xml", "hdfs-site.xml"):
        (tmp_path / name).write_text(configuration(settings), encoding="utf-8")
    with variables({"HADOOP_CONF_DIR": str(tmp_path)}):
        path = write(remote(f"{url}/name service"), HOURS[0], "a.parquet", clicks(1))
        found = read_parquet(ibis.duckdb.connect(), [path], file_column="file").to_pandas()
    assert list(found["file"]) == [str(path)]
    assert str(path).startswith(f"{url}/name service/")
    assert remote(f"{hdfs.url}{path.path}").exists()

"""The client of HDFS within a process, with no NameNode at all."""

import os
import time

import fsspec
import pytest

from ml_assets import hdfs
from ml_assets.paths import AwayError


def test_a_process_that_has_asked_hdfs_may_be_forked() -> None:
    assert fsspec.get_filesystem_class("hdfs").__module__ == hdfs.__name__
    with pytest.raises(AwayError):
        # By fsspec alone it is kept.
        fsspec.filesystem("hdfs", host="localhost", port=1, **{"dfs.client.failover.max.attempts": "0"}).info("/a")
    forked = os.fork()
    if not forked:
        os._exit(0)
    try:
        deadline = time.monotonic() + 20
        while os.waitpid(forked, os.WNOHANG) == (0, 0):
            assert time.monotonic() < deadline, "it waits for threads that it does not have"
            time.sleep(0.05)
    except AssertionError:
        os.kill(forked, 9)
        os.waitpid(forked, 0)
        raise


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('DataTransferError("All DataNodes failed: [DatanodeInfoProto { id: …")', "All DataNodes failed"),
        ('DataTransferError("All nodes failed for write")', "All nodes failed for write"),
        ('OperationFailed("Failed to complete file in time")', "Failed to complete file in time"),
    ],
)
def test_a_data_node_that_is_away_is_told_on_one_short_line(said: str, told: str) -> None:
    with pytest.raises(AwayError, match=rf"^hdfs://name:8020: the NameNode finds no DataNode .* they run: {told}$"):
        raise hdfs._error_of("hdfs://name:8020", RuntimeError(said))


@pytest.mark.parametrize(
    "words", ["`/datanode is non empty': Directory is not empty", "The quota of /datanode is exceeded"]
)
def test_another_fault_of_what_is_called_so_is_none_of_a_data_node(words: str) -> None:
    error = hdfs._error_of(
        "hdfs://name:8020", RuntimeError(f'RPCError("org.apache.SomeException", "{words}\\n\\tat a.b")')
    )
    assert not isinstance(error, AwayError)
    assert str(error) == f"hdfs://name:8020: SomeException: {words}"

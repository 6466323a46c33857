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

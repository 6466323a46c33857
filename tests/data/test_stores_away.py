"""Stores that are away, over a real S3 API and in a real HDFS: an error of one line, and nothing is taken for lost."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ml_assets.data.artifacts.inventory import Inventory
from ml_assets.data.artifacts.store import ArtifactStore, StoreError
from ml_assets.data.footers import read_footers
from ml_assets.data.logs.databases import SourceError
from ml_assets.data.logs.event_files import EventFolder, NoFolderError
from ml_assets.paths import AwayError, local_copy, path_of
from tests.support.hdfs import Hdfs
from tests.support.s3 import s3_server, variables
from tests.support.stores import HOURS, KEY, LOG, clicks, remote, write

S3 = "the store does not answer; see that it runs, and that AWS_ENDPOINT_URL is right: "


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with s3_server() as environment, variables(environment):
        yield


@pytest.mark.parametrize("whole", [True, False])
def test_a_bucket_that_there_is_not_is_no_log_without_news(server: None, whole: bool) -> None:
    with pytest.raises(SourceError, match=r"there is no bucket mistyped$") as raised:
        EventFolder(path_of("s3://mistyped/events"), LOG, whole=whole)
    assert not isinstance(raised.value, NoFolderError)


def test_a_bucket_that_is_gone_is_an_error_and_no_loss(server: None) -> None:
    root = path_of("s3://no-such-bucket/artifacts")
    store = ArtifactStore(root)
    with pytest.raises(
        StoreError, match=r"the store s3://no-such-bucket/artifacts cannot be listed: FileNotFoundError"
    ):
        Inventory(store, KEY[0])
    with pytest.raises(StoreError, match="there is no bucket no-such-bucket"):
        store.load(*KEY)


class _Unavailable(BaseHTTPRequestHandler):
    """What stands before a server that is down."""

    def _answer(self) -> None:
        body = b"<Error><Code>ServiceUnavailable</Code><Message>Please try again.</Message></Error>"
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


for _verb in ("DELETE", "GET", "HEAD", "POST", "PUT"):
    setattr(_Unavailable, f"do_{_verb}", _Unavailable._answer)


@contextmanager
def unavailable() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Unavailable) as answering:
        Thread(target=answering.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{answering.server_port}"
        answering.shutdown()


@contextmanager
def refusing() -> Iterator[str]:
    yield "http://127.0.0.1:9"


@pytest.mark.parametrize("endpoint", [refusing, unavailable])
def test_an_endpoint_that_is_down_is_an_error_of_one_line_and_no_loss(
    endpoint: Callable[[], AbstractContextManager[str]], tmp_path: Path
) -> None:
    user = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    with endpoint() as url, variables({**user, "AWS_ENDPOINT_URL": url, "AWS_MAX_ATTEMPTS": "1"}):
        root = remote("s3://models/a")
        store = ArtifactStore(root)
        asked: list[Callable[[], object]] = [
            partial(store.load, *KEY),
            partial(EventFolder, root, LOG),
            partial(EventFolder, root, LOG, whole=True),
            partial(read_footers, [root / "a.parquet"]),
            partial(local_copy, root, tmp_path / "here"),
            partial((root / "a").write_bytes, b"rows"),
            root.is_dir,
            (root / "a").exists,
        ]
        for ask in asked:
            with pytest.raises(AwayError, match=f"^s3://models: {S3}") as raised:
                ask()
            assert "\n" not in str(raised.value)
        with pytest.raises(StoreError, match=f"the store s3://models/a cannot be listed: AwayError: .*{S3}"):
            Inventory(store, KEY[0])


@pytest.mark.slow
def test_a_name_node_that_is_away_or_in_safe_mode_is_an_error_of_one_line_and_no_loss(
    hdfs: Hdfs, tmp_path: Path
) -> None:
    root = remote(f"{hdfs.url}/away")
    write(root, HOURS[0], "a.parquet", clicks(1))
    store = ArtifactStore(root)
    with store.draft(*KEY) as draft:
        (draft / "trees.txt").write_bytes(b"tree")
        store.publish(draft, {"data_version": "abc"}, to=store.folder(*KEY))
    hdfs.kill()
    away = rf"{hdfs.url}: the NameNode does not answer; see that it runs, .*refused.*$"
    began = time.monotonic()
    asked: list[Callable[[], object]] = [
        partial(store.load, *KEY),
        partial(EventFolder, root, LOG),
        partial(Inventory, store, KEY[0]),
        root.is_dir,
        root.exists,
        (root / "a").is_file,
    ]
    with ThreadPoolExecutor(len(asked)) as threads:
        answers = [threads.submit(ask) for ask in asked]
    errors = [answer.exception() for answer in answers]
    assert [type(error) for error in errors] == [AwayError, AwayError, StoreError, AwayError, AwayError, AwayError]
    assert all(re.search(away, str(error)) for error in errors), errors
    assert time.monotonic() - began < 30
    try:
        hdfs.start_name_node()
        safe_mode = rf"^{hdfs.url}: the NameNode is in safe mode, .*wait until .*$"
        with pytest.raises(AwayError, match=safe_mode) as raised:
            store.load(*KEY)
        assert "\n" not in str(raised.value)
        with pytest.raises(AwayError, match=safe_mode), store.draft(*KEY[:2], "run-2") as draft:
            store.publish(draft, {"data_version": "abc"}, to=store.folder(*KEY[:2], "run-2"))
        with pytest.raises(AwayError, match=safe_mode):
            local_copy(store.folder(*KEY), tmp_path / "here")
    finally:
        hdfs.start_data_nodes()
    assert store.load(*KEY).data_version == "abc"

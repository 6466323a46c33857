"""What the test of the loop on a cluster asks of its namespace, by the API's own types and client."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from kubernetes import client
from urllib3.exceptions import HTTPError

from tests.support.kubernetes_namespace import LateError, Namespace, NoAnswerError, has_ended, is_ready, until


def job_status(*conditions: tuple[str, str]) -> client.V1JobStatus:
    return client.V1JobStatus(conditions=[client.V1JobCondition(type=kind, status=value) for kind, value in conditions])


@pytest.mark.parametrize(
    ("conditions", "ended"),
    [
        ([], False),
        # A cluster says first that a Job has what it takes to succeed or fail, and then, its pods gone, that it has.
        ([("SuccessCriteriaMet", "True")], False),
        ([("FailureTarget", "True")], False),
        ([("Suspended", "True")], False),
        ([("Complete", "False")], False),
        ([("SuccessCriteriaMet", "True"), ("Complete", "True")], True),
        ([("FailureTarget", "True"), ("Failed", "True")], True),
    ],
)
def test_a_job_has_ended_once_it_is_complete_or_failed(conditions: list[tuple[str, str]], ended: bool) -> None:
    assert has_ended(job_status(*conditions)) is ended
    assert has_ended(client.V1JobStatus()) is False


def test_a_pod_that_is_about_to_end_is_not_asked() -> None:
    ready = client.V1PodStatus(conditions=[client.V1PodCondition(type="Ready", status="True")])
    assert is_ready(client.V1Pod(metadata=client.V1ObjectMeta(), status=ready))
    assert not is_ready(client.V1Pod(metadata=client.V1ObjectMeta(), status=client.V1PodStatus()))
    ending = client.V1ObjectMeta(deletion_timestamp=datetime.now(UTC))
    assert not is_ready(client.V1Pod(metadata=ending, status=ready))


@pytest.fixture
def here() -> Iterator[Namespace]:
    """A namespace of a cluster that knows the log of one pod, and no other."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.startswith("/api/v1/namespaces/ml/pods/ours/log")
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write('first\n{"second": "日本"}\n'.encode() if known else b"no such pod")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        configuration = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
        with client.ApiClient(configuration) as api:
            yield Namespace("ml", api)
        server.shutdown()


def test_a_log_is_read_as_it_was_printed(here: Namespace) -> None:
    assert here.log("ours", tail_lines=2) == 'first\n{"second": "日本"}\n'
    assert here.log("another") == "(no log: Not Found)"


def test_what_does_not_happen_in_time_is_said() -> None:
    with pytest.raises(LateError, match="the moon is full: not within 0 s"):
        until("the moon is full", lambda: None, seconds=0.01, pause=0.001)


def test_what_is_refused_while_a_pod_begins_again_is_asked_again_and_said_where_it_stays_so() -> None:
    refusals: list[Exception] = [
        client.ApiException(status=0, reason="Handshake status 500"),
        NoAnswerError("report.py failed in dagster-daemon: "),
        HTTPError("connection refused"),
    ]

    def ask() -> bool:
        if refusals:
            raise refusals.pop()
        return True

    assert until("it answers", ask, seconds=10, pause=0)
    refusals += [NoAnswerError("the script is wrong")] * 100_000
    with pytest.raises(LateError, match="it answers: not within 0 s; last refused: the script is wrong"):
        until("it answers", ask, seconds=0.01, pause=0.001)

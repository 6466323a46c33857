"""Who may ask the UI: its own pages and programs, and no page of another site."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ml_assets import variables
from ml_assets.processes.guard import Guard, allowed_hosts
from ml_assets.processes.webserver import Webserver

UI = "localhost:3000"


class Answer(NamedTuple):
    status: int
    text: str
    headers: Mapping[str, str]


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """What is guarded: it answers all that reaches it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await PlainTextResponse("answered")(scope, receive, send)


class NoInstance:
    """Of a webserver of which only what needs no instance is asked."""

    def create_request_context(self, _: HTTPConnection) -> AbstractContextManager[None]:
        return nullcontext()


@cache
def webserver(prefix: str = "") -> ASGIApp:
    """What Dagster's own routes lead to, below a path."""
    return Starlette(routes=Webserver(NoInstance(), prefix).build_routes())


def sent(kind: str, method: str, address: str, headers: Mapping[str, str], app: ASGIApp = behind) -> list[Message]:
    """What the guard in front of `app` answers to a request."""
    path, query = unquote(urlsplit(address).path), urlsplit(address).query.encode()
    given = [(name.lower().encode(), value.encode()) for name, value in {"Host": UI, **headers}.items()]
    scope = {"type": kind, "method": method, "path": path, "query_string": query, "headers": given}
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{__typename}"}

    asyncio.run(Guard(app, allowed_hosts("desk.lan"))(scope, receive, send))
    return messages


def ask(method: str, address: str, *, app: ASGIApp = behind, **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    start, body = sent("http", method, address, given, app)[:2]
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], body["body"].decode(), named)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.HOSTS, "ui.example, Other.example, with-port.example:8443,https://copied.example/, ,")


HOSTS = [UI, "127.0.0.1:3000", "[::1]:3000", "10.0.3.7:3000", "desk.lan:3000", "ui.example", "other.example:443"]
HOSTS += ["with-port.example:8443", "copied.example"]


@pytest.mark.parametrize("host", HOSTS)
def test_programs_and_its_own_pages_ask_under_each_of_its_names(host: str) -> None:
    for origin in ({}, {"Origin": f"http://{host}"}):
        assert ask("POST", "/graphql", Host=host, Content_Type="application/json", **origin).text == "answered"
        assert ask("GET", "/assets", Host=host, **origin).text == "answered"


@pytest.mark.parametrize("host", ["ui.example", "ui.example:443"])
def test_what_answers_https_in_front_of_it_hands_on_the_host_alone(host: str) -> None:
    assert ask("GET", "/assets", Host=host, Origin="https://ui.example").text == "answered"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:3000", "", "a:b", "0x7f.1"])
def test_a_name_that_is_not_its_own_is_refused_with_the_variable_that_adds_it(host: str) -> None:
    refused = ask("GET", "/assets", Host=host)
    assert refused.status == 403
    assert refused.text.count("\n") == 1
    assert repr(host) in refused.text
    assert "ML_ASSETS_HOSTS" in refused.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_of_another_site_loads_is_refused_and_a_link_in_it_leads_here(site: str) -> None:
    for loaded in ("image", "iframe", "empty"):
        assert ask("GET", "/logs/run/step.out", Sec_Fetch_Site=site, Sec_Fetch_Dest=loaded).status == 403
    assert ask("GET", "/assets", Sec_Fetch_Site=site, Sec_Fetch_Dest="document").text == "answered"


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_its_own_pages_load_is_answered(site: str) -> None:
    assert ask("GET", "/logs/run/step.out", Sec_Fetch_Site=site, Sec_Fetch_Dest="empty").text == "answered"


def test_a_page_of_a_program_is_another_site_though_it_has_the_same_name() -> None:
    assert ask("GET", "/assets", Host="localhost", Origin="capacitor://localhost").status == 403


ORIGINS = ["http://evil.example", "http://localhost:8888", "http://127.0.0.1:3000", "null", "http://localhost", "a:b"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize(("method", "path"), [("POST", "/graphql"), ("POST", "/report_asset_check/a"), ("GET", "/a")])
def test_a_page_of_another_site_is_refused(method: str, path: str, origin: str) -> None:
    refused = ask(method, path, Origin=origin, Content_Type="application/json")
    assert refused.status == 403
    assert repr(origin) in refused.text


#: Routes take a line break at the end for none.
GRAPHQL = [("", "/graphql"), ("", "/graphql%0A"), ("", "/graph%71l"), ("/below", "/below/graphql")]


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ],
)
@pytest.mark.parametrize(("prefix", "path"), GRAPHQL)
def test_what_a_form_can_send_is_no_graphql(kind: str, prefix: str, path: str) -> None:
    asked = f"{path}?query={{__typename}}"
    refused = ask("POST", asked, app=webserver(prefix), **({"Content_Type": kind} if kind else {}))
    assert refused.status == 403
    assert "application/json" in refused.text


@pytest.mark.parametrize(("prefix", "path"), GRAPHQL)
def test_no_graphql_is_run_by_an_address(prefix: str, path: str) -> None:
    asked = f"{path}?query={{__typename}}"
    assert ask("GET", asked, app=webserver(prefix)).status == 403
    # The page to type queries into, which runs none.
    assert "<title>GraphiQL" in ask("GET", asked, app=webserver(prefix), Accept="text/html,*/*").text


def test_programs_send_graphql() -> None:
    answered = ask("POST", "/graphql", app=webserver(), Content_Type="application/graphql")
    assert (answered.status, answered.text) == (200, '{"data":{"__typename":"Query"}}')


def test_what_is_subscribed_to_is_told_to_its_own_pages_alone() -> None:
    def opened(**headers: str) -> str:
        return sent("websocket", "GET", "/graphql", headers)[0]["type"]

    assert opened() == opened(Origin=f"http://{UI}") == "websocket.accept"
    assert opened(Host="evil.example") == opened(Origin="http://evil.example") == "websocket.close"


def test_no_other_site_shows_it_in_a_frame() -> None:
    assert ask("GET", "/assets").headers["x-frame-options"] == "SAMEORIGIN"

"""Keeps other sites' pages from the Dagster UI, which has no login: what they ask is answered with 403."""

import ipaddress
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ml_assets import variables

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: A browser sends these to another site only after that site has agreed.
_GRAPHQL_TYPES = {"application/json", "application/graphql"}
#: What a browser calls a page that is not of the origin which it asks (`Sec-Fetch-Site`).
_OTHERS = {"cross-site", "same-site"}


def allowed_hosts(bound: str) -> frozenset[str]:
    """The names under which the UI may be opened: of the loopback, that it is bound to, and those declared."""
    declared = (variables.get(variables.HOSTS) or "").split(",")
    # As they are refused, with a port, or as they are copied from a browser.
    given = (_split(f"//{name.strip().rpartition('//')[2]}") for name in ("localhost", bound, *declared))
    return frozenset(parts.hostname for parts in given if parts and parts.hostname)


class Guard:
    """Answers only what no page of another site can have sent.

    Args: `hosts`: names under which the UI may be opened. A number is always allowed: a site can bring a browser to ask
    this server under the site's name, but not under a number that it does not have.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif (reason := self._refusal(scope)) is None:
            await self._app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await PlainTextResponse(f"{reason}\n", status_code=403)(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = _split(f"//{headers.get('host', '')}")
        if host is None or not (_is_number(host.hostname) or host.hostname in self._hosts):
            return (
                f"Host {headers.get('host', '')!r} is not a name of this server: where it is, add it to "
                f"{variables.HOSTS}, separated by commas"
            )
        for given in headers.getlist("origin"):
            origin = _split(given)
            default = _DEFAULT_PORTS.get(origin.scheme) if origin else None
            here = (host.hostname, host.port or default)
            if origin is None or default is None or (origin.hostname, origin.port or default) != here:
                return f"Origin {given!r} is another site: only the UI's own pages, at {headers['host']!r}, may ask"
        # What a page loads by GET names no origin, but browsers say whose page it is. A link may be followed.
        if headers.get("sec-fetch-site") in _OTHERS and headers.get("sec-fetch-dest") != "document":
            return "This was asked by a page of another site: only the UI's own pages may load it, or a link lead to it"
        return None


def refusal_of_graphql(method: str, headers: Headers) -> str | None:
    """Why GraphQL is not run, as pages of other sites can ask so; None where it is."""
    # A GET that takes HTML gets a page to type queries into, and runs none.
    if method == "GET" and "text/html" not in headers.get("accept", ""):
        return "GraphQL by GET can be asked by any site: send a POST with Content-Type: application/json"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method == "POST" and kind not in _GRAPHQL_TYPES:
        return f"GraphQL as {kind or 'no type'!r} can be sent by any site: send Content-Type: application/json"
    return None


def _unframed(send: Send) -> Send:
    """Nor may another site's page show the UI in a frame, where a person would click what they do not see."""

    async def with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("X-Frame-Options", "SAMEORIGIN")
        await send(message)

    return with_header


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        # It raises for what is no port.
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _is_number(name: str | None) -> bool:
    try:
        ipaddress.ip_address(name or "")
    except ValueError:
        return False
    return True

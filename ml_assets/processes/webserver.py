"""Dagster's webserver, which answers no other site's page, and on whose pages of executed notebooks nothing can act.

Run by `python -m ml_assets.processes.webserver`. It also shows events of runs that older versions of this project made,
which Dagster's own cannot; and it says at `/healthz` whether all works; Dagster's own answers as long as it lives.
"""

import sys
from datetime import UTC, datetime
from typing import Any

import click
from dagster import EventLogEntry
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from typing_extensions import override

from ml_assets.dagster_names import DagsterWebserver, StepOutputData, TypeCheckData, webserver_app
from ml_assets.dagster_names import graphql_events as events
from ml_assets.dagster_names import webserver_cli as cli
from ml_assets.interrupts import heed_interrupts
from ml_assets.notebooks.running.page import POLICY, page_in
from ml_assets.processes.guard import Guard, allowed_hosts, refusal_of_graphql
from ml_assets.processes.health import find_problems
from ml_assets.processes.log_lines import keep_lines_short
from ml_assets.written_by import check_home_at_hand

_shown_by_dagster = events.from_dagster_event_record


class Webserver(DagsterWebserver[Any, Any]):
    """Answers its own pages alone, and whether all works; by its policy a notebook runs nothing and asks nothing."""

    @override
    def build_middleware(self) -> list[Middleware]:
        bound = click.get_current_context().params["host"]
        return [Middleware(Guard, hosts=allowed_hosts(bound)), *super().build_middleware()]

    # Not by the path: that which routes take for `/graphql` may be written in other ways, such as `/graphql%0A`.
    @override
    async def graphql_http_endpoint(self, request: Request) -> Response:
        reason = refusal_of_graphql(request.method, request.headers)
        if reason is not None:
            return PlainTextResponse(f"{reason}\n", status_code=403)
        answer: Response = await super().graphql_http_endpoint(request)
        return answer

    @override
    async def download_notebook(self, request: Request) -> Response:
        shown: Response = self._page(request) or await super().download_notebook(request)
        shown.headers["Content-Security-Policy"] = POLICY
        return shown

    @override
    def build_static_routes(self) -> list[BaseRoute]:
        return [Route("/healthz", self.health), *super().build_static_routes()]  # type: ignore[no-untyped-call]

    def health(self, request: Request) -> Response:
        """What does not work, a line each, with code 503; with 200 that all does."""
        with self.request_context(request) as context:
            problems = find_problems(context, as_of=datetime.now(UTC))
        lines = problems or ["all works"]
        return PlainTextResponse("".join(f"{line}\n" for line in lines), status_code=503 if problems else 200)

    def _page(self, request: Request) -> Response | None:
        """The page that our code server has made; None of what another code location shows, or nobody does."""
        location, path = (request.query_params.get(name, "") for name in ("repoLocName", "path"))
        if not path.endswith(".ipynb"):
            return None
        with self.request_context(request) as context:
            page = page_in(context.get_notebook_data(location, path))
        return None if page is None else HTMLResponse(page)


def _checked(entry: EventLogEntry, job_name: str) -> Any:
    """An event for the UI. Outputs of older runs have no type check, without which it shows no event of a run."""
    event = entry.dagster_event
    if event is not None and isinstance(data := event.event_specific_data, StepOutputData) and not data.type_check_data:
        checked = TypeCheckData(success=True, label=data.output_name)  # type: ignore[no-untyped-call]
        entry = entry._replace(dagster_event=event._replace(event_specific_data=data._replace(type_check_data=checked)))
    return _shown_by_dagster(entry, job_name)


def serve(arguments: list[str]) -> None:
    """Run `dagster-webserver` with some arguments."""
    check_home_at_hand()
    keep_lines_short()
    webserver_app.DagsterWebserver = Webserver  # type: ignore[attr-defined]
    events.from_dagster_event_record = _checked
    cli.main(arguments, prog_name="ml-assets webserver", auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    heed_interrupts()
    serve(sys.argv[1:])

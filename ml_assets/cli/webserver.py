"""Dagster's webserver, on whose pages of executed notebooks nothing can act: `python -m ml_assets.cli.webserver`."""

import sys
from typing import Any

import dagster_webserver.app
from dagster_webserver.cli import cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from typing_extensions import override

from ml_assets.interrupts import heed_interrupts
from ml_assets.notebooks.page import POLICY, page_in


class Webserver(DagsterWebserver[Any, Any]):
    """Answers with a policy by which a browser lets a notebook run nothing and ask for nothing."""

    @override
    async def download_notebook(self, request: Request) -> Response:
        shown: Response = self._page(request) or await super().download_notebook(request)
        shown.headers["Content-Security-Policy"] = POLICY
        return shown

    def _page(self, request: Request) -> Response | None:
        """The page that our code server has made; None of what another code location shows, or nobody does."""
        location, path = (request.query_params.get(name, "") for name in ("repoLocName", "path"))
        if not path.endswith(".ipynb"):
            return None
        with self.request_context(request) as context:
            page = page_in(context.get_notebook_data(location, path))
        return None if page is None else HTMLResponse(page)


def serve(arguments: list[str]) -> None:
    """Run `dagster-webserver` with some arguments."""
    dagster_webserver.app.DagsterWebserver = Webserver  # type: ignore[attr-defined]
    cli.main(arguments, prog_name="ml-assets webserver", auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    heed_interrupts()
    serve(sys.argv[1:])

"""A page of another site, in the browser of a person who has the Dagster UI open: it gets nothing from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import expect

from tests.browser.home import Home
from tests.browser.screen import Screen

pytestmark = pytest.mark.slow

#: All that a browser does without asking: simple requests, a form, an address, a subscription, a frame.
HOSTILE = """
<!doctype html><title>asking</title>
<img src="UI/graphql?query=mutation{setNuxSeen}"> <img src="UI/graphql%0A?query=mutation{setNuxSeen}">
<form id="form" method="post" enctype="text/plain" target="answer" action="UI/graphql?query=mutation{setNuxSeen}">
<input name='{"query": "mutation{setNuxSeen}", "x": "' value='"}'></form>
<iframe name="answer"></iframe><iframe id="ui" src="UI/locations"></iframe>
<script>
const asked = JSON.stringify({query: "mutation{setNuxSeen}"});
const sent = ["text/plain", "text/plain;application/json", "application/json"].map(kind =>
    fetch("UI/graphql", {method: "POST", mode: kind === "application/json" ? "cors" : "no-cors",
                         headers: {"Content-Type": kind}, body: asked}).catch(() => null));
const heard = new Promise(done => {
    const socket = new WebSocket("UI/graphql".replace("http", "ws"), "graphql-ws");
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
});
document.getElementById("form").submit();
Promise.all([heard, ...sent]).then(([heard]) => { document.title = heard; });
</script>
"""


@contextmanager
def another_site(page: str) -> Iterator[str]:
    """The address of a server that answers with a page, meanwhile."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_asks_in_each_way_that_it_has_and_is_refused(screen: Screen, home: Home) -> None:
    answers: dict[str, set[int]] = {"GET": set(), "POST": set()}
    with another_site(HOSTILE.replace("UI", home.server.url)) as site:
        page = screen.open("/favicon.png")
        asked = f"{home.server.url}/graphql"
        page.on("response", lambda one: one.url.startswith(asked) and answers[one.request.method].add(one.status))
        page.goto(site)
        page.wait_for_function("document.title !== 'asking'")
        expect(page.frame_locator("[name=answer]").locator("body")).to_contain_text("is another site")
        assert page.title() == "refused"
        expect(page.frame_locator("#ui").locator("body")).to_contain_text("asked by a page of another site")
    # Of what asks for leave first, the browser sees no answer.
    assert answers == {"GET": {403}, "POST": {403}}
    screen.errors.clear()

"""An executed notebook as a page: whole, and nothing of it can act."""

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat import v4

from ml_assets.notebooks.running.page import page_in, sandboxed, standalone

SCRIPT = "<script>fetch('/graphql')</script>"


def notebook(*outputs: dict[str, str], words: str = "# A day") -> bytes:
    shown = [v4.new_output("display_data", output) for output in outputs]
    cells = [v4.new_markdown_cell(words), v4.new_code_cell("show()", execution_count=1, outputs=shown)]
    return nbformat.writes(v4.new_notebook(cells=cells)).encode()


def page_of(*outputs: dict[str, str], words: str = "# A day") -> str:
    page = page_in(sandboxed(notebook(*outputs, words=words), title="shop/order/model/2026-03-04"))
    assert page is not None
    return page


def test_the_page_shows_words_code_and_outputs_under_its_title() -> None:
    page = page_of({"text/plain": "300 rows"}, {"image/png": "aGVsbG8="})
    assert "<title>shop/order/model/2026-03-04</title>" in page
    for part in ("A day", "show", "300 rows", "data:image/png;base64,aGVsbG8="):
        assert part in page


def test_it_has_no_script_of_its_own_and_fetches_nothing() -> None:
    page = page_of({"text/html": "<b>300 rows</b>"})
    assert "<script" not in page
    assert 'src="http' not in page
    assert "default-src 'none'" in page.partition("<style")[0]


def test_what_is_a_script_alone_is_shown_as_its_text() -> None:
    page = page_of({"application/javascript": "fetch('/graphql')", "text/plain": "<Javascript>"})
    assert "&lt;Javascript&gt;" in page
    assert "fetch" not in page


def test_what_others_show_of_it_is_one_sandboxed_frame() -> None:
    hostile = sandboxed(
        notebook({"text/html": f'"></iframe>{SCRIPT}'}, words=f'"></iframe>{SCRIPT}'), title='">' + SCRIPT
    )
    shown, _ = HTMLExporter().from_notebook_node(nbformat.reads(hostile.decode(), as_version=4))
    assert shown.count("<iframe sandbox") == 1
    assert SCRIPT not in shown
    assert "fetch" in shown


def test_an_exported_page_is_the_page_itself_and_its_policy_comes_before_all_that_the_notebook_says() -> None:
    page = standalone(notebook({"text/html": SCRIPT}, words=SCRIPT), title="</title>" + SCRIPT)
    assert "<iframe" not in page
    before = page.partition(SCRIPT)[0]
    assert "default-src 'none'" in before
    assert "<script" not in before.partition("default-src 'none'")[0]


@pytest.mark.parametrize("name", ["meta http-equiv=refresh", "META/http-equiv=refresh", "link\nrel=preconnect", "Link"])
def test_what_acts_whatever_the_policy_is_of_a_name_that_no_browser_knows(name: str) -> None:
    drawn = "<svg><metadata>a</metadata><linearGradient></linearGradient></svg>"
    body = page_of({"text/html": f"<{name}>{drawn}"}, words=f"<{name}>").partition("<body")[2].lower()
    assert "<meta " not in body
    assert "<link" not in body
    assert body.count("<x-") == 2
    assert drawn.lower() in body


def test_a_notebook_that_is_not_sandboxed_holds_no_page() -> None:
    assert page_in(notebook({"text/html": "<iframe srcdoc='page'></iframe>"})) is None
    assert page_in(nbformat.writes(v4.new_notebook()).encode()) is None

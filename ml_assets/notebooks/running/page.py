"""An executed notebook as a page to look at, on which nothing that it holds can act.

Outputs may hold scripts, and the Dagster UI has no login: a script of its origin could launch what it likes. nbconvert
is imported when a notebook is looked at.
"""

import html
import re

_SOURCES = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; base-uri 'none'"
)
#: Of the answer that holds a page: no script, no form, no origin; and no request, as pictures are in the page itself.
POLICY = f"sandbox; {_SOURCES}"
# The page in a notebook of one output. A frame of this kind has no script, no form and no origin, either.
_FRAME = (
    '<iframe sandbox title="executed notebook" style="position: fixed; inset: 0; width: 100%; height: 100%; border: 0;'
    ' background: white; z-index: 1" srcdoc="'
)
_FRAME_END = '"></iframe>'
# What nbconvert gives a page, without what it fetches from elsewhere, and fit for the screen of a phone.
_TEMPLATE = f"""
{{%- extends 'lab/index.html.j2' -%}}
{{%- block html_head_js -%}}<meta http-equiv="Content-Security-Policy" content="{_SOURCES}">{{%- endblock -%}}
{{%- block jupyter_widgets -%}}{{%- endblock -%}}
{{%- block html_head_js_mathjax -%}}{{%- endblock -%}}
{{%- block html_head_js_mermaidjs -%}}{{%- endblock -%}}
{{%- block html_head_css -%}}
<style>
  .jp-RenderedHTMLCommon table {{ display: block; overflow-x: auto; }}
  .jp-OutputArea-output pre, .jp-InputArea-editor pre {{ overflow-x: auto; }}
  .jp-OutputArea-output img, .jp-OutputArea-output svg {{ max-width: 100%; height: auto; }}
  @media (max-width: 600px) {{
    body.jp-Notebook {{ padding: 4px; }}
    .jp-InputPrompt, .jp-OutputPrompt {{ display: none; }}
  }}
</style>
{{%- endblock -%}}
"""
#: What no policy forbids: `<meta>` leads away from a page, and `<link>` has a browser call upon hosts.
_ACTS_BY_ITSELF = re.compile(r"<(?=(?:meta|link)[\s/>])", re.IGNORECASE)
#: Those that need a script come last; their text stands for them.
_SHOWN = ["text/html", "text/markdown", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "text/plain"]


def sandboxed(notebook: bytes, *, title: str) -> bytes:
    """A notebook whose one output is the page of another, in a frame where nothing of it can act.

    So it is safe wherever it is shown as a notebook, by servers that are not ours, too.
    """
    from nbformat import v4, writes

    output = v4.new_output(
        "display_data", {"text/html": f"{_FRAME}{html.escape(_render(notebook, title))}{_FRAME_END}"}
    )
    shell = v4.new_notebook(cells=[v4.new_code_cell(outputs=[output])], metadata={"title": title})
    return writes(shell).encode()


def standalone(notebook: bytes, *, title: str) -> str:
    """A notebook as a page for any browser, which can be printed; nothing of it acts, or is asked of a network."""
    return _render(notebook, title)


def page_in(notebook: bytes) -> str | None:
    """The page itself, which a sandboxed notebook holds; None where a notebook is another."""
    from nbformat import reads

    cells = reads(notebook.decode(), as_version=4).cells
    for output in cells[0].get("outputs", []) if len(cells) == 1 else []:
        frame: str = output.get("data", {}).get("text/html", "")
        if frame.startswith(_FRAME):
            return html.unescape(frame.removeprefix(_FRAME).removesuffix(_FRAME_END))
    return None


def _render(notebook: bytes, title: str) -> str:
    from nbconvert import HTMLExporter
    from nbformat import reads
    from traitlets.config import Config

    config = Config({"NbConvertBase": {"display_data_priority": _SHOWN}})
    exporter = HTMLExporter(config=config, raw_template=_TEMPLATE, exclude_anchor_links=True)
    content = reads(notebook.decode(), as_version=4)
    page, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": title}})
    head, body, rest = str(page).partition("<body")
    # Of a name that no browser knows, an element does nothing, and shows what it holds.
    return head + body + _ACTS_BY_ITSELF.sub("<x-", rest)

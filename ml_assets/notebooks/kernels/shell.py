"""What a notebook's shell does otherwise than IPython's own, so that it means the same under Dagster and in Jupyter.

There, `exit()` lets the cells after it run until the kernel has ended, and half a character stops what is said.
"""

import json
import re
from typing import Any, NoReturn

from IPython.core.autocall import IPyAutocall
from jupyter_client.jsonutil import json_clean, json_default
from jupyter_client.session import json_packer

#: One half of a character that takes two, without the other. No encoding has it.
_HALF = re.compile("[\ud800-\udfff]")


class _Exit(IPyAutocall):
    """Raises SystemExit, as Python's own; it may be named without being called."""

    rewrite = False

    def __call__(self, code: object = None) -> NoReturn:
        raise SystemExit(code)


def prepare(shell: Any) -> None:
    """Let a kernel's shell end a notebook by `exit` and `quit` as by `sys.exit`, and say every error."""
    shell.user_ns["exit"] = shell.user_ns["quit"] = _Exit()  # type: ignore[no-untyped-call]
    shell.kernel.session.pack = _pack


def _pack(content: Any) -> bytes:
    try:
        packed: bytes = json_packer(content)  # type: ignore[no-untyped-call]
    except UnicodeEncodeError:
        text = json.dumps(json_clean(content), default=json_default, ensure_ascii=False, allow_nan=False)  # type: ignore[no-untyped-call]
        # As a literal would have it; within JSON, a backslash is written twice.
        packed = _HALF.sub(lambda half: f"\\\\u{ord(half[0]):04x}", text).encode()
    return packed

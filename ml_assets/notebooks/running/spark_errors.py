"""What a failed Spark job failed of, in a line a person can read: its error is hundreds of lines, and begins with none.

Text in, text out: where this runs, Spark need not be installed.
"""

import re

_NAMES = ("Py4J", "PySpark", "Spark", "PythonException", "AnalysisException", "ArithmeticException")
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(.*?)(?:\n\s*\n|\n\tat |\Z)", re.DOTALL)
_RAISED = re.compile(r"^[A-Za-z_][\w.]*(?::[^\n]*)?$", re.MULTILINE)
#: What an error says, the more telling first, and what that means.
_CAUSES = (
    (
        re.compile(r"java\.lang\.OutOfMemoryError: [^\n]+"),
        "out of memory: {0}; raise spark.executor.memory, or spark.driver.memory",
    ),
    (re.compile(r"ExecutorLostFailure \(executor (\S+) [^\n]*?\) Reason: ([^\n]+)"), "executor {1} was lost: {2}"),
    (
        re.compile(r"Python worker exited unexpectedly|Python worker failed to connect back"),
        "{0}; where the system killed it for memory, raise spark.executor.memoryOverhead",
    ),
    (re.compile(r"Job aborted due to stage failure: ([^\n]+)"), "{1}"),
    (re.compile(r"^(?:Caused by: |: )([\w.$]+(?:Exception|Error)[^\n]*)", re.MULTILINE), "{1}"),
)
#: What the system's own killer leaves behind.
_KILLED = re.compile(r"\b137\b|memory limits|OOM")


def spark_reason(name: str, text: str) -> str | None:
    """Why Spark failed, from the name and the text of the exception; None where it was not Spark."""
    if not name.startswith(_NAMES) and "org.apache.spark" not in text:
        return None
    worker = _TRACEBACK.search(text)
    raised = _RAISED.findall(worker[1]) if worker else []
    if raised:
        return f"a Python worker raised {raised[-1].strip()}"
    for pattern, meaning in _CAUSES:
        if found := pattern.search(text):
            words = meaning.format(found[0], *found.groups()).strip()
            killed = "; killed for memory: raise spark.executor.memoryOverhead" if _KILLED.search(words) else ""
            return words + killed
    return f"{name}: {text.strip().partition(chr(10))[0]}"

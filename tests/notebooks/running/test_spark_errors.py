"""Texts as Spark 4.0 gives them, shortened in the middle."""

import pytest

from ml_assets.notebooks.running.spark_errors import spark_reason

LOST = """An error occurred while calling o64.parquet.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times, most recent failure: \
Lost task 0.0 in stage 1.0 (TID 1) (127.0.0.1 executor 0): ExecutorLostFailure (executor 0 exited caused by one of the running \
tasks) Reason: Command exited with code {code}
Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2935)
"""
WORKER = """An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "/tmp/ipykernel_1/2.py", line 3, in bad
ValueError: price is -1; write a price

"""
MEMORY = """An error occurred while calling o1.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 in stage 0.0 failed 4 times
Caused by: java.lang.OutOfMemoryError: Java heap space
\tat java.base/java.util.Arrays.copyOf(Arrays.java:3541)
"""
STAGE = """An error occurred while calling o1.count.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 3 in stage 2.0 failed 4 times, most recent failure: disk full
\tat org.apache.spark.Stage"""


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("Py4JJavaError", LOST.format(code=1), "executor 0 was lost: Command exited with code 1"),
        (
            "Py4JJavaError",
            LOST.format(code=137),
            "executor 0 was lost: Command exited with code 137; killed for memory: raise spark.executor.memoryOverhead",
        ),
        ("PythonException", WORKER, "a Python worker raised ValueError: price is -1; write a price"),
        (
            "Py4JJavaError",
            MEMORY,
            "out of memory: java.lang.OutOfMemoryError: Java heap space; "
            "raise spark.executor.memory, or spark.driver.memory",
        ),
        ("Py4JJavaError", STAGE, "Task 3 in stage 2.0 failed 4 times, most recent failure: disk full"),
        (
            "AnalysisException",
            "[UNRESOLVED_COLUMN] no `prize`\nmore",
            "AnalysisException: [UNRESOLVED_COLUMN] no `prize`",
        ),
    ],
)
def test_the_reason_is_one_line(name: str, text: str, reason: str) -> None:
    assert spark_reason(name, text) == reason


def test_an_error_of_another_kind_is_left_as_it_is() -> None:
    assert spark_reason("ValueError", "price is -1") is None

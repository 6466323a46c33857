"""What a defs.yaml says of a loop is refused by file, key and value, in one line."""

from pathlib import Path

import pytest

from tests.declarations.texts import answer, make

LOOP = "type: ml_assets.EvaluationLoop\nattributes:\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  executor: mine", "attributes.executor: 'mine' is not accepted"),
        (
            "  storage: {event: x}",
            "attributes.storage.event: 'x' is not accepted; there is no such key; did you mean events?",
        ),
        ("  storage: {events: 3}", "attributes.storage.events: 3 is not accepted; a text"),
        ("  storage: x", "attributes.storage: 'x' is not accepted; keys with values"),
        ("  keep_days: many", "attributes.keep_days: 'many' is not accepted; a whole number"),
        ("  keep_days: true", "attributes.keep_days: True is not accepted; a whole number"),
        ("  keep_days: 0", "attributes.keep_days: 0 is not accepted; a number from 1 on"),
        ("  keep_days: 1000000", "attributes.keep_days: 1000000 is not accepted; a number of at most 36500"),
        ("  spark: [a]", "attributes.spark: ['a'] is not accepted; keys with values"),
        ("  spark: {spark.driver.memory: }", "attributes.spark.spark.driver.memory: None is not accepted; a value"),
    ],
)
def test_a_loop_is_refused_for(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    defs = make(tmp_path, f"loop_{abs(hash(request.node.name))}", {"loop/defs.yaml": f"{LOOP}{text}\n"})
    said = answer(tmp_path, monkeypatch)
    assert said.startswith(f"{defs / 'loop/defs.yaml'}: ")
    assert words in said


def test_a_project_has_one_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = f"{LOOP}  keep_days: 1\n"
    defs = make(tmp_path, "loop_twice", {"loop/defs.yaml": loop, "other/defs.yaml": loop})
    said = answer(tmp_path, monkeypatch)
    assert said.startswith(f"{defs / 'other/defs.yaml'}: type: 'EvaluationLoop' is not accepted; one that no other has")

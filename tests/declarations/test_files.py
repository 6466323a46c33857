"""A file of a model that is wrong in any way is answered by one line: the file, the key or line, the value, what is right."""

import re
import sys
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.declarations.of_project import build_declared
from tests.declarations.texts import LOGS, MODEL, answer, changed, make

NESTED = "".join(
    f"  {at}: &{at} [{', '.join([f'*{of}'] * 9)}]\n" for of, at in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMB = f"  a: &a [x, x, x, x, x, x, x, x, x]\n{NESTED}"


def added(text: str) -> str:
    """The model with more attributes."""
    return MODEL + "".join(f"  {line}\n" for line in text.splitlines())


#: By what is wrong: the text of the model's file, and words of the answer.
OF_ANY_FILE: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "the file: '' is not accepted; at least one document with type and attributes"),
    "a comment alone": ("# soon\n", "at least one document"),
    "null": ("null\n", "document 1: None is not accepted; keys with values: type, attributes"),
    "a list": ("- a\n", "document 1: ['a'] is not accepted"),
    "a text": ("soon\n", "document 1: 'soon' is not accepted"),
    "a number": ("3\n", "document 1: 3 is not accepted"),
    "an empty document at its end": (f"{MODEL}---\n", "document 2: None is not accepted"),
    "an empty document before it": (f"---\n---\n{MODEL}", "document 1: None is not accepted"),
    "a tab": (
        changed("  training", "\ttraining"),
        "line 7: '\\ttraining: {window: 28d, attribution: 7d}' is not accepted",
    ),
    "latin-1": (
        "# für\n".encode("latin-1") + MODEL.encode(),
        "line 1: b'\\xfc' is not accepted; save the file as UTF-8",
    ),
    "UTF-16": (MODEL.encode("utf-16"), "save the file as UTF-8"),
    "a control character": (
        changed("ads/cvr", "ads/\x07cvr"),
        "the file: '\\x07' is not accepted; text without control",
    ),
    "a zero byte": (changed("ads/cvr", "ads/\0cvr"), "text without control characters"),
    "an open brace": (
        changed("[impression_id]}", "[impression_id]"),
        "is not accepted; YAML; while parsing a flow mapping",
    ),
    "an open quote": (changed("28d", '"28d'), "is not accepted; YAML; "),
    "an indent too many": (
        changed("  outcomes", "   outcomes"),
        "line 5: '   outcomes: ads/conversions' is not accepted",
    ),
    "an alias of nothing": (
        added("config: *nothing"),
        "line 9: '  config: *nothing' is not accepted; YAML; found undefined",
    ),
    "a tag that runs code": (
        added("config: !!python/object/apply:os.system [ls]"),
        "python/object/apply:os.system' is not acc",
    ),
    "a tag of its own": (added("config: !secret x"), "line 9: '!secret' is not accepted; a text, a number, a list"),
    "a plain =": (added("config: {x: =}"), "line 9: '=' is not accepted; the text in quotes, '='; without, Dagster"),
    "bytes": (added("config: {x: !!binary aGVsbG8=}"), "binary' is not accepted"),
    "a key twice": (
        added("name: ads/other"),
        "line 9: attributes.name: ['ads/cvr', 'ads/other'] is not accepted; each key once; line 3 has it, too",
    ),
    "a key twice in a group": (
        changed("7d}", "7d, window: 7d}"),
        "line 7: attributes.training.window: ['28d', '7d'] is not accepted; each key once; line 7 has it, too",
    ),
    "a key twice with groups": (
        added("config: {a: 1}\nconfig: {a: [2, 3]}"),
        "line 10: attributes.config: ['{a: 1}', '{a: [2, 3]}'] is not accepted; each key once; line 9",
    ),
    "a key twice in a list": (
        added("history:\n- log: x\n  log: y"),
        "line 11: attributes.history.0.log: ['x', 'y'] is not accepted; each key once; line 10 has it, too",
    ),
    "a key twice, once in quotes": (added('"name": ads/other'), "attributes.name: ['ads/cvr', 'ads/other'] is not"),
    "a URL in a key twice": (
        added("config: {url: 'db://me:hunter2@there', url: x}"),
        "attributes.config.url: '(not shown, as it may hold a password)' is not accepted; each key once",
    ),
    **{
        f"config: {text}": (added(f"config: {{of: [{text}]}}"), f"line 9: attributes.config.of.0: '{text}' is not acc")
        for text in (
            *("on", "Off", "yes", "NO", "012", "-010", "08", "1_000", "1_0.5", "1:30", "190:20:30", "0b11", "0o17"),
            *("-0x1F", "1e5", "1e-3", "1.0e5", "-.5", "1E400", "1.0e+400"),
        )
    },
    "a key that is read as true": (
        added("config: {on: 1}"),
        "line 9: attributes.config.on: 'on' is not accepted; what",
    ),
    "a number as a key of the configuration": (
        added("config: {weights: {1: .5}}"),
        """line 9: attributes.config.weights.1: 1 is not accepted; a key that is a text: write "1" in quotes""",
    ),
    "null as a key of the configuration": (
        added("config: {~: 1}"),
        "attributes.config.~: None is not accepted; a key",
    ),
    "a list as a key": (added("? [a, b]\n: c"), "a key that is a text"),
    "a group as a key": (added("{a: 1}: c"), "a key that is a text"),
    "a merge of a number": (added("<<: 3"), "expected a mapping or list of mappings for merging"),
    "aliases that multiply": (
        changed("attributes:\n", f"attributes:\n{BOMB}"),
        "aliases that repeat at most 10000 values",
    ),
    "an anchor that holds itself": (
        changed("attributes:", "attributes: &it\n  config: *it"),
        "does not hold an alias of",
    ),
    "a list that holds itself": (added("config: &it [*it]"), "line 9: '&' is not accepted"),
    "lists in lists": (added(f"config: {'[' * 100_000}{']' * 100_000}"), "at most 30 levels"),
    "groups in groups": (added(f"config: {'{a: ' * 600}1{'}' * 600}"), "at most 30 levels"),
    "an endless number": (added(f"config: {{x: {'9' * 5000}}}"), "a number of at most 100 digits"),
    "no type": (changed("type: ml_assets.EvaluatedModel\n", ""), "type: None is not accepted; the key is required"),
    "a misspelt `type`": (
        changed("type:", "typ:"),
        "typ: 'ml_assets.EvaluatedModel' is not accepted; there is no such key; did",
    ),
    "a type that is none": (
        changed("EvaluatedModel", "EvalModel"),
        "the type of a component, such as ml_assets.EvaluatedModel",
    ),
    "a type in another case": (changed("EvaluatedModel", "evaluatedmodel"), "such as ml_assets.EvaluatedModel"),
    "a type of no package": (changed("ml_assets.E", "E"), "type: 'EvaluatedModel' is not accepted"),
    "a type of an unknown package": (
        changed("ml_assets.", "mlassets."),
        "type: 'mlassets.EvaluatedModel' is not accepted",
    ),
    "a type that is no component": (changed("EvaluatedModel", "catalog"), "type: 'ml_assets.catalog' is not accepted"),
    "a type that is null": (changed("ml_assets.EvaluatedModel", ""), "type: None is not accepted; a text"),
    "a type that is a number": (changed("ml_assets.EvaluatedModel", "3"), "type: 3 is not accepted; a text"),
    "a type that is a list": (changed("ml_assets.EvaluatedModel", "[a]"), "type: ['a'] is not accepted; a text"),
    "no attributes": ("type: ml_assets.EvaluatedModel\n", "attributes.name: None is not accepted; the key is required"),
    "attributes that are null": ("type: ml_assets.EvaluatedModel\nattributes:\n", "attributes.name: None is not"),
    "attributes that are a text": (
        "type: ml_assets.EvaluatedModel\nattributes: x\n",
        "attributes: 'x' is not accepted; keys",
    ),
    "attributes that are a list": (
        "type: ml_assets.EvaluatedModel\nattributes: [x]\n",
        "attributes: ['x'] is not accepted; keys",
    ),
    "misspelt attributes": (changed("attributes", "atributes"), "did you mean attributes? There are type, attributes"),
    "an unknown key beside them": (
        changed("attributes:", "owner: me\nattributes:"),
        "owner: 'me' is not accepted; there is no",
    ),
    "an unknown attribute": (
        added("exposure: x"),
        "attributes.exposure: 'x' is not accepted; there is no such key; did you mean",
    ),
    "a number as an attribute": (added("3: x"), "attributes.3: 3 is not accepted; a key that is a text"),
    "null as an attribute": (added("~: x"), "attributes.~: None is not accepted; a key that is a text"),
    "a wrong second model": (
        f"{MODEL}---\n{MODEL.replace('cvr', 'two').replace('28d', '28x')}",
        "training.window: '28x'",
    ),
    "two models of one name": (
        f"{MODEL}---\n{MODEL}",
        "attributes.name: 'ads/cvr' is not accepted; one that no other has",
    ),
}
TEMPLATES = ("{{ nothing }}", "{{ 1 / 0 }}", "{{", "{% if %}", "{{ [1][5].x }}")
#: By attribute: values that are none, and words of the answer.
VALUES: list[tuple[str, list[str], str]] = [
    ("name", ["", "3", "[a]", "{a: b}", "true"], "is not accepted; a text, in quotes where YAML reads something else"),
    ("name", ['""', "cvr", "2026-01-01"], "write <service>/<name>"),
    ("exposures", ["", "3", "[a]"], "is not accepted; a text"),
    ("outcomes", ["ads/conversion"], "the key of an event log; did you mean ads/conversions?"),
    (
        "join",
        ["", "3", "visit_id", "[visit_id]", "2026-01-01"],
        "is not accepted; keys with values; there are id, entity",
    ),
    ("join", ["{id: visit_id}", "{entity: {a: b}}"], "is not accepted; a list"),
    ("join", ["{id: [3]}", "{id: [null]}"], "attributes.join.id.0: "),
    ("join", ["{id: []}", "{id: ['']}", "{id: [a, a]}"], "at least one column, each with a name, and each once"),
    ("join", ["{id: null}", "{id: [a], entity: [b]}"], "either {id: [columns]} or {entity: [columns]}"),
    ("join", ["{di: [a]}"], "attributes.join.di: ['a'] is not accepted; there is no such key; There are id, entity"),
    ("training", ["", "28d", "[28d]"], "keys with values; there are window, attribution, gap"),
    ("training", ["{window: 99999999999d, attribution: 7d}"], "'99999999999d' is not accepted; write at most 36525d"),
    ("training", ["{window: 999999999d, attribution: 7d}"], "write at most 36525d, a hundred years"),
    ("training", ["{window: null, attribution: 7d}", "{window: 28, attribution: 7d}"], "a whole number and a unit"),
    ("training", ["{window: -28d, attribution: 7d}", "{window: [28d], attribution: 7d}"], "a whole number and a unit"),
    (
        "training",
        ["{window: 28d, attribution: 7d, gap: -1d}", "{window: ٢d, attribution: 7d}"],
        "a whole number and a unit",
    ),
    (
        "evaluation",
        ["{window: 1d, horizons: [99999999999d]}"],
        "evaluation.horizons: '99999999999d' is not accepted; write",
    ),
    ("evaluation", ["{window: 1d, horizons: 7d}", "{window: 1d, horizons: null}"], "horizons: "),
    ("evaluation", ["{window: 1d, horizons: [3]}", "{window: 1d, horizons: [{a: 7d}]}"], "a whole number and a unit"),
    ("notebooks", ["3", "null", "notebooks/model.ipynb"], "keys with values; there are training_data, model"),
    ("notebooks", ["{model: 3}", "{model: null}"], "attributes.notebooks.model: "),
    ("config", ["3", "null", "[a]"], "is not accepted; keys with values, which the notebooks read"),
    ("history", ["3", "null", "{a: b}"], "attributes.history: "),
    ("history", ["[3]", "[null]"], "keys with values; there are log, window, by, features"),
    ("partitions", ["3", "week", "[]"], "keys with values; there are every, start, timezone, end"),
    (
        "partitions",
        ["{every: day, start: '0001-01-01'}", "{every: day, start: '9999-12-31'}"],
        "a date from 1900-01-01 to",
    ),
    ("start", ["3", "[a]"], "attributes.start: "),
    ("start", ["soon", "2026-W09-1"], 'write a local date such as "2026-01-01"'),
    (
        "start",
        ["2026-03-01-05:00", "2026-03-01T05:00"],
        'write the local date alone, "2026-03-01": partitions begin at its',
    ),
    ("start", ["2025-12-31"], "a local date within the model's partitions, from 2026-01-01 on"),
    ("requirements", ["numpy", "3", "{a: b}"], "a list"),
    ("requirements", ["['']"], "a requirement as pip takes it"),
    ("partitions_per_run", ["many", "null", "1.5", "[1]"], "attributes.partitions_per_run: "),
    ("memory", ["4", "[4GB]"], "attributes.memory: "),
    ("repair", ["3", "[]", "nightly"], "keys with values; there are at, lookback, budget"),
    ("kubernetes", ["3", "[]"], "keys with values; there are cpu, memory"),
]
CASES = [
    *((name, text, words) for name, (text, words) in OF_ANY_FILE.items()),
    *(
        (f"name: {text}", changed("name: ads/cvr", f'name: "{text}"'), f"attributes.name: '{text}' is not")
        for text in TEMPLATES
    ),
    *(
        (f"{key}: {value}", re.sub(rf"  {key}: .*\n|\Z", f"  {key}: {value}\n", MODEL, count=1), words)
        for key, values, words in VALUES
        for value in values
    ),
]


def test_the_text_that_is_varied_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "files_right", {"ads/logs/defs.yaml": LOGS, "ads/cvr/defs.yaml": added("start: 2026-03-01")})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert len(build_declared(dg.ComponentTree.for_project(tmp_path)).assets or ()) == 8


def test_a_long_file_is_read_and_what_aliases_add_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = f"config: {{many: &many [{', '.join(['x'] * 10_001)}], quoted: '='}}"
    make(tmp_path, "files_many", {"ads/logs/defs.yaml": LOGS, "ads/cvr/defs.yaml": added(many)})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert len(build_declared(dg.ComponentTree.for_project(tmp_path)).assets or ()) == 8
    again = many.replace("quoted: '='", "again: *many")
    make(tmp_path / "again", "files_many_again", {"ads/logs/defs.yaml": LOGS, "ads/cvr/defs.yaml": added(again)})
    assert "aliases that repeat at most 10000 values" in answer(tmp_path / "again", monkeypatch)


@pytest.mark.parametrize(("text", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_models_file_is_refused_for(
    text: str | bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    package = f"files_model_{abs(hash(request.node.name))}"
    defs = make(tmp_path, package, {"ads/logs/defs.yaml": LOGS, "ads/cvr/defs.yaml": text})
    said = answer(tmp_path, monkeypatch)
    assert said.startswith(f"{defs / 'ads/cvr/defs.yaml'}: ")
    assert words in said

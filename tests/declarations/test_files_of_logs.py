"""A file of event logs that is wrong, or in the wrong place, is answered by one line as one of a model is."""

from pathlib import Path

import pytest

from tests.declarations.texts import LOGS, MODEL, answer, changed, make

LOG_CASES = [
    ("key: 3", changed("key: ads/impressions", "key: 3", LOGS), "attributes.key: 3 is not accepted; a text"),
    (
        "no lookahead",
        changed("  lookahead: 8d\n", "", LOGS),
        "attributes.lookahead: None is not accepted; the key is required",
    ),
    (
        "lookahead: null",
        changed("8d", "null", LOGS),
        "attributes.lookahead: None is not accepted; write a whole number",
    ),
    ("lookahead: 99999999999d", changed("8d", "99999999999d", LOGS), "write at most 36525d"),
    (
        "partitions: text",
        changed('{every: day, start: "2026-01-01", timezone: Asia/Tokyo}', "day", LOGS),
        "there are every",
    ),
    (
        "start: 0001",
        changed("2026-01-01", "0001-01-01", LOGS),
        "partitions.start: '0001-01-01' is not accepted; a date from",
    ),
    (
        "hours in a start",
        changed("2026-01-01", "2026-01-01-05:00+0900", LOGS),
        'write the local date alone, "2026-01-01"',
    ),
    ("a long zone", changed("Asia/Tokyo", "A" * 300, LOGS), "an IANA name such as Asia/Tokyo"),
    (
        "columns: text",
        changed("{time: event_time, key: [impression_id]}", "event_time", LOGS),
        "there are time, key, known",
    ),
    ("key: a text", changed("key: [impression_id]", "key: impression_id", LOGS), "columns.key: 'impression_id' is not"),
    (
        "the same log twice",
        f"{LOGS}---\n{LOGS}",
        "attributes.key: 'ads/impressions' is not accepted; one that no other has",
    ),
    (
        "a password",
        changed("lookahead", "tabel: {url: 'postgresql://reader:hunter2@warehouse/main'}\n  lookahead", LOGS),
        "attributes.tabel: '(not shown, as it may hold a password)' is not accepted; there is no such key; did you mean",
    ),
]


@pytest.mark.parametrize(("text", "words"), [case[1:] for case in LOG_CASES], ids=[case[0] for case in LOG_CASES])
def test_a_file_of_logs_is_refused_for(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    package = f"files_log_{abs(hash(request.node.name))}"
    defs = make(tmp_path, package, {"ads/logs/defs.yaml": text, "ads/cvr/defs.yaml": MODEL})
    said = answer(tmp_path, monkeypatch)
    assert said.startswith(f"{defs / 'ads/logs/defs.yaml'}: ")
    assert words in said
    assert "hunter2" not in said


PLACES: dict[str, tuple[dict[str, str | bytes], str, str]] = {
    "two models of one name": (
        {"ads/logs/defs.yaml": LOGS, "ads/a/defs.yaml": MODEL, "ads/b/defs.yaml": MODEL},
        "ads/b/defs.yaml",
        "ads/a/defs.yaml declares it, too",
    ),
    "the same log in two files": (
        {"ads/logs/defs.yaml": LOGS, "ads/more/defs.yaml": LOGS},
        "ads/more/defs.yaml",
        "ads/logs/defs.yaml declares it, too",
    ),
    "a file that hides others": (
        {"ads/defs.yaml": LOGS, "ads/cvr/defs.yaml": MODEL},
        "ads/defs.yaml",
        "another folder, for it hides",
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_files_are_refused_for(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, refused, words = PLACES[case]
    defs = make(tmp_path, f"files_of_{list(PLACES).index(case)}", files)
    said = answer(tmp_path, monkeypatch)
    assert said.startswith(f"{defs / refused}: ")
    assert words in said


def test_a_declaration_beside_another_is_not_left_out_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defs = make(tmp_path, "files_beside", {"ads/logs/defs.yaml": LOGS, "ads/cvr/defs.yaml": MODEL})
    (defs / "ads/cvr/defs.yml").write_text(MODEL)
    assert "one declaration in a folder; defs.yaml is read instead" in answer(tmp_path, monkeypatch)


@pytest.mark.parametrize("what", ["a folder", "a link to nothing", "a link to itself"])
def test_what_is_called_a_declaration_and_cannot_be_read_is_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defs = make(tmp_path, f"files_{what.replace(' ', '_')}", {"ads/logs/defs.yaml": LOGS})
    file = defs / "ads/cvr/defs.yaml"
    file.parent.mkdir()
    if what == "a folder":
        file.mkdir()
    else:
        file.symlink_to("nothing" if what == "a link to nothing" else "defs.yaml")
    assert f"{file}: the file: 'defs.yaml' is not accepted; a file that can be read: " in answer(tmp_path, monkeypatch)

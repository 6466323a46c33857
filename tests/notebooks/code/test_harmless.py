"""The record of harmless changes: what it makes of versions, and what it refuses."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.code.harmless import HARMLESS_FILE, HarmlessChange, add_harmless, effective_version

ASSET = "ads/cvr/model"


def entry(before: str, after: str, asset: str = ASSET, reason: str = "renamed") -> str:
    return f'- {{asset: {asset}, from: "{before}", to: "{after}", reason: "{reason}"}}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / HARMLESS_FILE).parent.mkdir()
    return tmp_path


def write(root: Path, text: str) -> None:
    (root / HARMLESS_FILE).write_text(text, encoding="utf-8")


def test_without_a_record_a_version_counts_as_itself(tmp_path: Path) -> None:
    assert effective_version(tmp_path / HARMLESS_FILE, ASSET, "v1") == "v1"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]\n"])
def test_an_empty_record_changes_nothing(text: str, root: Path) -> None:
    write(root, text)
    assert effective_version(root / HARMLESS_FILE, ASSET, "v1") == "v1"


def test_a_version_counts_as_the_oldest_one_of_its_chain(root: Path) -> None:
    write(root, entry("v2", "v3") + entry("v1", "v2") + entry("v5", "v6"))
    versions = {
        version: effective_version(root / HARMLESS_FILE, ASSET, version) for version in ("v1", "v2", "v3", "v4", "v6")
    }
    assert versions == {"v1": "v1", "v2": "v1", "v3": "v1", "v4": "v4", "v6": "v5"}


def test_a_change_of_another_asset_does_not_count(root: Path) -> None:
    write(root, entry("v1", "v2", asset="ads/cvr/training_data"))
    assert effective_version(root / HARMLESS_FILE, ASSET, "v2") == "v2"


def test_a_record_that_is_edited_is_read_again(root: Path) -> None:
    write(root, entry("v1", "v2"))
    assert effective_version(root / HARMLESS_FILE, ASSET, "v2") == "v1"
    write(root, entry("v1", "v2") + entry("v0", "v1"))
    assert effective_version(root / HARMLESS_FILE, ASSET, "v2") == "v0"
    (root / HARMLESS_FILE).unlink()
    assert effective_version(root / HARMLESS_FILE, ASSET, "v2") == "v2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1", r"harmless.yaml: {'a': 1} is not accepted; a list of entries {asset: ads/cvr/model, from: <version>"),
        ("- [", r"harmless.yaml: '.*line 1.*' is not accepted; YAML, a list of entries"),
        (
            "- {asset: a, from: b, to: c, from: d, reason: e}",
            r"harmless.yaml: .*the key .*from.* is given twice, as .*b.* and as .*d.*, line 1, column 30",
        ),
        ("- renamed", "harmless.yaml: entry 1: 'renamed' is not accepted; write {asset"),
        (entry("v1", "v2") + "- {asset: a, from: b, to: c, why: d}", "entry 2.why: 'd' .* there is no such key; there are asset, from"),
        ("- {asset: a, from: b, to: c}", "entry 1.reason: None is not accepted; a text that is not empty"),
        (entry("v1", "v2", reason=" "), "entry 1.reason: ' ' is not accepted; a text that is not empty"),
        ("- {asset: a, from: 1234567812345678, to: b, reason: c}", "entry 1.from: 1234567812345678 .* write a version in quotes"),
        (entry("v1", "v3") + entry("v2", "v3"), "entry 2.to: 'v3' .* ads/cvr/model came to it from v1 already"),
        (entry("v1", "v1"), "entry 1.from: 'v1' is not accepted; another version"),
        (entry("v1", "v2") + entry("v3", "v1") + entry("v2", "v3"), "entry 3.from: 'v2' .* came to this one from v3"),
    ],
)  # fmt: skip
def test_a_wrong_record_is_refused_by_file_key_and_value(text: str, words: str, root: Path) -> None:
    write(root, text)
    with pytest.raises(SpecError, match=words) as refusal:
        effective_version(root / HARMLESS_FILE, ASSET, "v1")
    assert refusal.value.key.startswith("notebooks/harmless.yaml")


def test_the_first_change_makes_the_file(tmp_path: Path) -> None:
    add_harmless(tmp_path, HarmlessChange(ASSET, "v1", "v2", "renamed a variable"))
    assert (tmp_path / HARMLESS_FILE).read_text(encoding="utf-8") == (
        "# Changes of code that change no result: to each asset, version `to` counts as version `from`.\n"
        "- asset: ads/cvr/model\n  from: v1\n  to: v2\n  reason: renamed a variable\n"
    )
    assert effective_version(tmp_path / HARMLESS_FILE, ASSET, "v2") == "v1"


@pytest.mark.parametrize(
    "text",
    [
        "# ours\n\n" + entry("v1", "v2") + "# the end",
        "# ours",
        "  - asset: ads/cvr/model\n    from: v1\n    to: v2\n    reason: >\n      a long\n      story\n",
        "---\n" + entry("v1", "v2"),
    ],
)
def test_another_change_is_appended_and_the_text_before_stays(text: str, root: Path) -> None:
    write(root, text)
    written = add_harmless(root, HarmlessChange(ASSET, "v2", "v3", "sorted imports"))
    found = (root / HARMLESS_FILE).read_text(encoding="utf-8")
    assert found == text.rstrip("\n") + "\n" + written
    assert effective_version(root / HARMLESS_FILE, ASSET, "v3") == effective_version(root / HARMLESS_FILE, ASSET, "v2")


@pytest.mark.parametrize("text", ["[]\n", entry("v1", "v2") + "...\n", "[{asset: a, from: b, to: c, reason: d}]\n"])
def test_a_file_that_cannot_be_appended_to_is_refused_and_stays(text: str, root: Path) -> None:
    write(root, text)
    with pytest.raises(SpecError, match="one entry to a line that begins with `- `, and nothing after"):
        add_harmless(root, HarmlessChange(ASSET, "v2", "v3", "sorted imports"))
    assert (root / HARMLESS_FILE).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (HarmlessChange(ASSET, "v2", "v3", "  "), "entry 2.reason: '  '"),
        (HarmlessChange(ASSET, "v0", "v2", "why"), "entry 2.to: 'v2'"),
        (HarmlessChange(ASSET, "v2", "v1", "why"), "entry 2.from: 'v2'"),
    ],
)
def test_a_change_that_does_not_fit_to_the_others_is_not_written(
    change: HarmlessChange, words: str, root: Path
) -> None:
    write(root, entry("v1", "v2"))
    with pytest.raises(SpecError, match=words):
        add_harmless(root, change)
    assert (root / HARMLESS_FILE).read_text(encoding="utf-8") == entry("v1", "v2")


@given(
    reason=st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip),
    version=st.text("0123456789abcdef", min_size=16, max_size=16),
    place=st.integers(0, 15),
)
def test_any_reason_and_version_can_be_read_back(
    reason: str, version: str, place: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("harmless")
    other = version[:place] + ("1" if version[place] == "0" else "0") + version[place + 1 :]
    for change in (HarmlessChange(ASSET, version, other, reason), HarmlessChange("ads/b/model", "v1", "v2", reason)):
        add_harmless(root, change)
    assert effective_version(root / HARMLESS_FILE, ASSET, other) == version
    assert effective_version(root / HARMLESS_FILE, "ads/b/model", "v2") == "v1"

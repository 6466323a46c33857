"""What pages link to and is no page is shown by one: folders by what is in them, files by their text."""

from pathlib import Path

import pytest

from docs_site.sources import LINK, page_of, pages_of, target_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    metrics = tmp_path / "code/metrics"
    metrics.mkdir(parents=True)
    (metrics / "__init__.py").touch()
    (metrics / "loss.py").write_text('"""Loss: how wrong.\n\nMore of it.\n"""\n', encoding="utf-8")
    (metrics / "model.ipynb").write_text("{}", encoding="utf-8")
    (metrics / "model.py").write_text("# %%\n", encoding="utf-8")
    (metrics / "old.md").write_text("# What was\n\nAnd more.\n", encoding="utf-8")
    return tmp_path


def test_links_of_the_repository_are_found_and_no_others() -> None:
    text = "[a](docs/a.md#b), ![c](d.png), [e](https://example.com/f.md), [g](mailto:h), [i](#j), [k](../l/m.py)"
    assert LINK.findall(text) == ["docs/a.md", "d.png", "../l/m.py"]


def test_a_link_leads_to_a_path_from_the_root() -> None:
    assert target_of("docs/time.md", "../code/metrics/") == "code/metrics"
    assert target_of("README.md", "docs/time.md") == "docs/time.md"


def test_a_folder_lists_what_is_in_it_by_what_it_says_and_shows_each_source(root: Path) -> None:
    pages = dict(pages_of(root, "code/metrics"))
    assert page_of(root, "code/metrics") == "code/metrics/index.md" in pages
    assert pages["code/metrics/index.md"].splitlines() == [
        "# metrics",
        "",
        "- [`loss.py`: Loss: how wrong.](loss.py.md)",
        "- [`model.py`](model.py.md)",
        "- [What was](old.md)",
    ]
    assert '~~~~~python\n"""Loss: how wrong.\n' in pages["code/metrics/loss.py.md"]
    assert {*pages} == {f"code/metrics/{name}.md" for name in ("index", "loss.py", "model.py")}


def test_a_notebook_is_shown_by_the_half_that_people_read(root: Path) -> None:
    ((name, text),) = pages_of(root, "code/metrics/model.ipynb")
    assert name == page_of(root, "code/metrics/model.ipynb") == "code/metrics/model.ipynb.md"
    assert "~~~~~python\n# %%\n~~~~~" in text


@pytest.mark.parametrize("path", ["code/metrics/old.md", "code/nowhere", "code/nowhere.py"])
def test_a_page_and_what_is_not_there_have_no_page_of_their_source(root: Path, path: str) -> None:
    assert page_of(root, path) is None

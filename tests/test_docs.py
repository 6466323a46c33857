"""What the pages for people link to is there, and a review can comment on each of their lines."""

import re
from pathlib import Path

import pytest

from tests.support.pages import PAGES, name_of, prose

WIDTH = 120


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_leads_to_a_file_and_each_anchor_to_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_line_of_prose_is_wider_than_a_review_shows(page: Path) -> None:
    assert [f"{name_of(page)}:{number}" for number, line in prose(page) if len(line) > WIDTH] == []

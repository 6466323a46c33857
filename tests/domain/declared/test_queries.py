import pytest

from ml_assets.domain.declared.queries import check_query
from ml_assets.domain.errors import SpecError

READING = [
    "select max(loaded) from load_status",
    "SELECT max(t) FROM update_log WHERE log = 'a;b';",
    "  (select 1) ; -- done; really",
    "/* ; */ with last as (select 1 as t)\nselect * from last",
    "values (now())",
    "select 'it''s; so'",
    r"select E'it\'s; so'",
    r"select split_part(name, '\', 1) from x where y = 'a;b'",
    'select "a;b" from "drop table"',
    "select `a;b` from x",
    "select $$a;b$$, $of$ '; $of$",
    "select 'drop table x; delete from y'",
    "select deleted, inserted_at from (select 1) updates",
]
OTHERS = [
    ("drop table x", "only reads"),
    ("DELETE FROM x", "only reads"),
    ("update x set t = now()", "only reads"),
    ("create table y as select 1", "only reads"),
    ("call refresh()", "only reads"),
    ("explain analyze delete from x", "only reads"),
    ("selection", "only reads"),
    ("with gone as (delete from x returning t) select max(t) from gone", "only reads"),
    ("with last as (select 1)\nINSERT into x select * from last", "only reads"),
    ("select max(t) into y from x", "only reads"),
    ("-- select 1\ndrop table x", "only reads"),
    ("select 1; select 2", "one statement; a semicolon may end it"),
    ("select ';'; drop table x", "one statement"),
    ("select 'a' ; ;", "one statement"),
    ("select 'a", "quotes and comments are closed"),
    ("select 1 /* a", "quotes and comments are closed"),
    (" ", "a query that gives one instant"),
    ("-- nothing", "a query that gives one instant"),
    (";", "a query that gives one instant"),
]


@pytest.mark.parametrize("query", READING)
def test_a_query_that_reads_is_accepted_whatever_its_strings_and_comments_hold(query: str) -> None:
    check_query("query", query)


@pytest.mark.parametrize(("query", "right"), OTHERS)
def test_any_other_is_refused(query: str, right: str) -> None:
    with pytest.raises(SpecError, match=right) as refusal:
        check_query("arrival.watermark.query", query)
    assert (refusal.value.key, refusal.value.value) == ("arrival.watermark.query", query)

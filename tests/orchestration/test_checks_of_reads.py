"""The check `no_leak` holds what was read to its bounds, too: what was read too late left no row."""

from datetime import datetime, timedelta

import pytest

from ml_assets.notebooks.order import ReadRecord
from tests.orchestration.checked_shop import CUTOFF, HOUR, LATER, LONG, SHORT, D, Shop


def read(role: str, *, known: datetime | None = None, event: datetime | None = None) -> ReadRecord:
    return ReadRecord(
        log=f"shop/{role}", role=role, partitions=[D], rows=5, latest_event=event or CUTOFF - HOUR, latest_known=known
    )


MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("late", "in_time", "words"),
    [
        (
            read("outcomes", known=CUTOFF + 3 * HOUR),
            read("outcomes", known=CUTOFF + 3 * HOUR - MOMENT),
            "outcomes of shop/outcomes were read that were known at or after 2026-05-04T03:00:00+00:00",
        ),
        (
            read("exposures", known=CUTOFF + 2 * HOUR),
            read("exposures", known=CUTOFF + 2 * HOUR - MOMENT),
            "exposures of shop/exposures were read that were known at or after 2026-05-04T02:00:00+00:00",
        ),
        (
            read("outcomes", event=CUTOFF),
            read("outcomes", event=CUTOFF - MOMENT),
            "outcomes of shop/outcomes were read that happened at or after 2026-05-04T00:00:00+00:00",
        ),
    ],
    ids=["outcomes", "exposures", "event time"],
)
def test_what_was_read_too_late_is_caught_though_it_left_no_row(
    late: ReadRecord, in_time: ReadRecord, words: str, shop: Shop
) -> None:
    """As a retraction does, which takes a label back before anyone could know."""
    rows = shop.table({})
    assert shop.verify(rows, None, in_time).passed
    verdict = shop.verify(rows, None, in_time, late)
    assert verdict.leaks == {words: 1}
    assert str(verdict).endswith(f"such as {(late.latest_known or late.latest_event).isoformat()}")


def test_what_was_read_for_history_is_a_matter_of_each_exposure(shop: Shop) -> None:
    later = CUTOFF + 1000 * HOUR
    assert shop.verify(shop.table({}), None, read("history", known=later, event=later)).passed


def test_an_evaluation_reads_the_newest_knowledge_of_events_within_its_horizon(shop: Shop) -> None:
    later, end = CUTOFF + 1000 * HOUR, CUTOFF + 48 * HOUR
    rows = shop.table(LATER)
    assert shop.verify(rows, SHORT, read("outcomes", known=later, event=end - MOMENT)).passed
    assert not shop.verify(rows, SHORT, read("outcomes", known=later, event=end)).passed
    assert shop.verify(rows, LONG, read("outcomes", known=later, event=end)).passed


def test_nothing_read_is_nothing_too_late(shop: Shop) -> None:
    nothing = read("outcomes").model_copy(update={"rows": 0, "latest_event": None})
    assert shop.verify(shop.table({}), None, nothing).passed

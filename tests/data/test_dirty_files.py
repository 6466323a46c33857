"""Whatever people write into the files of logs: labels are those of a double loop, or days do not count, and the reason
names log, file and column. Never a third thing."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ml_assets.data.engines.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from tests.data.dirty_draws import draw
from tests.data.dirty_files import DAYS, TYPES, write
from tests.data.dirty_labels import labels, labels_by_hand, refusals
from tests.support.spark import JAVA, NO_JAVA, local_session

CASES, CASES_ON_SPARK = 500, 40
_LEFT_OUT = "would be left out"


def test_dirty_files_give_the_labels_of_a_double_loop_or_a_reason(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    at_once, one_in = 20, pytestconfig.getoption("--one-in")
    cases = CASES // one_in // at_once * at_once
    found = verdicts(range(cases // at_once), at_once, tmp_path, ExampleReader)
    assert found["labelled"] + found["refused"] == cases
    if cases == CASES:
        assert min(found["labelled"], found["refused"], found["positive"]) > 150


@pytest.mark.slow
@pytest.mark.skipif(not JAVA, reason=NO_JAVA)
def test_dirty_files_give_the_same_labels_on_spark_or_a_reason(tmp_path: Path) -> None:
    with local_session() as session:
        from ml_assets.data.engines.spark_engine import SparkEngine

        engine = SparkEngine(session)
        at_once = 10
        seeds = range(CASES_ON_SPARK // at_once)
        found = verdicts(seeds, at_once, tmp_path, lambda: ExampleReader(spark=engine), spark=True)
    assert found["labelled"] + found["refused"] == CASES_ON_SPARK
    assert min(found["labelled"], found["refused"], found["positive"]) > 10


def verdicts(
    seeds: Iterable[int], at_once: int, root: Path, reader: Callable[[], ExampleReader], *, spark: bool = False
) -> Counter[str]:
    """How many cases are labelled, and how many refused. Raises: AssertionError for a third thing."""
    found = Counter[str]()
    for seed in seeds:
        try:
            found += _verdict(seed, at_once, root / str(seed), reader, spark)
        except Exception as error:
            error.add_note(f"draw({seed}, {at_once})")
            raise
    return found


def _verdict(seed: int, at_once: int, root: Path, reader: Callable[[], ExampleReader], spark: bool) -> Counter[str]:
    window = draw(seed, at_once)
    write(window, root)
    refused = refusals(window, root, spark=spark)
    assert [why for why in refused.values() if not _names_what_is_wrong(why)] == []
    if any(_LEFT_OUT not in why for why in refused.values()):
        # Whoever reads the files all the same is told so, too.
        with pytest.raises(EventLogError):
            labels(window, root, range(at_once), reader())
    rest = [number for number in range(at_once) if number not in refused]
    expected = labels_by_hand(window, rest)
    if rest:
        assert labels(window, root, rest, reader()) == expected
    shutil.rmtree(root)
    return Counter(refused=len(refused), labelled=len(rest), positive=sum(label for label, _ in expected.values()))


def _names_what_is_wrong(why: str) -> bool:
    """Whether a reason names log, file and column; of a file with a wrong name, log and file."""
    file = re.match(rf"({'|'.join(DAYS)}) date=2026-\d\d-\d\d\b.*(part|abcde|hour=13)", why)
    return bool(file and (_LEFT_OUT in why or re.search(rf"(column|lacks) ({'|'.join(TYPES)})\b", why)))

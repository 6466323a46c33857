"""What is written without quotes is read alike by every YAML, or refused; what is written here is read back."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.declarations.plain_scalars import PlainDumper, check_plain
from ml_assets.domain.errors import SpecError


def check(text: str) -> None:
    check_plain(yaml.compose(text, Loader=yaml.SafeLoader), "line 1")


@pytest.mark.parametrize(
    "text", ["1", "-12", "+7", "0", "1.5", "-0.0", "1.", ".5", "1.0e-3", "0x1F", ".inf", "-.INF", ".NaN"]
)
def test_a_number_that_is_read_alike_is_one(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text", ["true", "False", "null", "~", "a", "28d", "y", "1.2.3", "2026-03", "1e5d", "'on'", '"012"']
)
def test_what_is_no_number_and_what_is_in_quotes_is_what_it_says(text: str) -> None:
    check(text)


@pytest.mark.parametrize("text", ["on", "NO", "012", "08", "1_000", "1:30", "0b1", "0o7", "1e5", "-.5", "1.0e+400"])
def test_what_is_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=f"^line 1: '{re.escape(text)}' is not accepted; "):
        check(text)


@given(st.text(st.sampled_from("0123456789.eE+-_:onxbf"), min_size=1, max_size=6))
def test_text_that_is_written_here_is_never_refused_and_is_read_back(text: str) -> None:
    written = yaml.dump([text], Dumper=PlainDumper, default_flow_style=True)
    assert yaml.safe_load(written) == [text]
    check_plain(yaml.compose(written, Loader=yaml.SafeLoader).value[0], "line 1")

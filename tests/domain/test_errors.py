"""What a refusal says."""

import pytest

from ml_assets.domain.errors import SpecError


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("7 days", "training.window: '7 days' is not accepted; write 7d"),
        (7, "training.window: 7 is not accepted; write 7d"),
        ([], "training.window: [] is not accepted; write 7d"),
        (None, "training.window: None is not accepted; write 7d"),
        ("9" * 5000, f"training.window: '{'9' * 199}… is not accepted; write 7d"),
        (
            {"url": "postgresql://reader:hunter2@warehouse/main"},
            "training.window: '(not shown, as it may hold a password)' is not accepted; write 7d",
        ),
    ],
)
def test_a_refusal_names_the_key_the_value_and_what_would_be_right(value: object, words: str) -> None:
    error = SpecError("training.window", value, "write 7d")
    assert str(error) == words
    assert (error.key, error.value, error.expected) == ("training.window", value, "write 7d")


def test_a_refusal_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"name: 'ads' is not accepted"):
        raise SpecError("name", "ads", "write ads/cvr")

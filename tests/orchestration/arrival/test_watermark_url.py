"""A watermark without its database: what is said of the URL, and that nothing shows it or the password."""

import socket
import sys
from pathlib import Path

import pytest

from tests.orchestration.arrival.watermarks import SECRET, VARIABLE, refusal


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert "shop/visits: the environment variable LOAD_STATUS_URL is not set; it holds the URL" in refusal(tmp_path)


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://reader:word@host/warehouse")
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    text = refusal(tmp_path)
    assert "psycopg2" in text
    assert "install the driver that LOAD_STATUS_URL names; ml-assets[postgres] has that of postgresql://" in text


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"postgresql://reader:{SECRET}@127.0.0.1:PORT/warehouse", "Connection refused"),
        (f"postgresql://reader@127.0.0.1:PORT/warehouse?password={SECRET}", "Connection refused"),
        (f"postgresql://reader:{SECRET}@host/warehouse?sslmode={SECRET}&password=x", 'invalid sslmode value: "***"'),
        (SECRET, "holds no URL that can be read"),
        (f"postgresql://reader:p@{SECRET}@127.0.0.1:PORT/warehouse", "with %40 for an @ in the password"),
        (f"postgresql://reader:{SECRET}", "holds no URL that can be read"),
        (f"oracel://reader:{SECRET}@host/warehouse", "Can't load plugin: sqlalchemy.dialects:oracel"),
    ],
)
def test_no_error_shows_the_password_or_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, why: str
) -> None:
    monkeypatch.setenv(VARIABLE, url.replace("PORT", str(closed_port())))
    text = refusal(tmp_path)
    assert why in text
    assert "shop/visits" in text
    assert SECRET not in text
    assert "reader:" not in text

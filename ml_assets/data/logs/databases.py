"""SQL databases that are asked about event logs: where their URL is, and errors that show no password.

Light: the sensor imports this.
"""

from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from ml_assets import variables

# Imported where a database is asked: loading the code location does not pay for it.
if TYPE_CHECKING:
    import sqlalchemy as sa


class SourceError(Exception):
    """A source did not say what has arrived, or did not give its rows."""


def url_in(variable: str, where: str) -> "sa.URL":
    """The URL that an environment variable holds; `where` names the variable and what wants it.

    Raises: SourceError, which does not repeat what the variable holds.
    """
    import sqlalchemy as sa

    text = variables.get(variable)
    if not text:
        raise SourceError(f"{where} is not set; it holds the URL of the database that is asked")
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    # All after the first @ is taken for the host, which a driver's error names: it would be the rest of a password.
    if url is None or "@" in (url.host or ""):
        right = "postgresql://user:password@host/database, with %40 for an @ in the password"
        raise SourceError(f"{where} holds no URL that can be read; write {right}")
    return url


def without_passwords(error: Exception, url: "sa.URL") -> str:
    """What a driver says, on one line, without SQLAlchemy's own words around it."""
    words = " ".join(str(getattr(error, "orig", None) or error).split())
    in_query = (value for name, values in url.normalized_query.items() if "pass" in name for value in values)
    for secret in filter(None, [url.password, *in_query]):
        # As it is, and as a URL has it.
        for spelling in (str(secret), quote(str(secret), safe=""), quote_plus(str(secret))):
            words = words.replace(spelling, "***")
    return words

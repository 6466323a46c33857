"""S3 by s3fs, whose errors tell one that does not answer from what it answers.

Imported where a path is in S3 alone; `fsspec` knows it from then on.
"""

from typing import Any

import fsspec
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import HTTPClientError
from fsspec.asyn import sync_wrapper
from s3fs import S3FileSystem

from ml_assets.paths import AwayError

#: What a server answers that cannot serve now, and what stands before it.
_FOR_NOW = frozenset({429, 500, 502, 503, 504})


class _S3(S3FileSystem):  # type: ignore[misc]
    """A file system whose outages are told: what is asked of it comes by one method."""

    async def _call_s3(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            return await super()._call_s3(method, *arguments, **options)
        except (NoConnectionError, HTTPClientError, OSError) as error:
            if not _is_outage(error):
                raise
            words = " ".join(str(error).split())
            store = f"s3://{options.get('Bucket', '')}"
            raise AwayError(
                f"{store}: the store does not answer; see that it runs, and that AWS_ENDPOINT_URL is right: {words}"
            ) from None

    call_s3 = sync_wrapper(_call_s3)


def _is_outage(error: Exception) -> bool:
    # What s3fs makes of an answer keeps that.
    answer: Any = getattr(error.__cause__, "response", None) or {}
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return isinstance(error, NoConnectionError | HTTPClientError | TimeoutError) or status in _FOR_NOW


for _protocol in S3FileSystem.protocol:
    fsspec.register_implementation(_protocol, _S3, clobber=True)

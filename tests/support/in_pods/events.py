"""Run by a Job of the loop: writes five days of the simulated advertising log into the storage, and makes its bucket."""

import os
import tempfile
from datetime import date
from pathlib import Path

import s3fs

from ml_assets.examples import advertising

root = os.environ["ML_ASSETS_STORAGE"].removeprefix("s3://")
bucket = root.split("/", maxsplit=1)[0]
store = s3fs.S3FileSystem()
if not store.exists(bucket):
    store.mkdir(bucket)
with tempfile.TemporaryDirectory() as folder:
    advertising.write_logs(
        Path(folder), first_day=date(2025, 12, 12), last_day=date(2025, 12, 16), impressions_per_day=1500
    )
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    # A marker says that the rest is there.
    for path in sorted(files, key=lambda path: path.name == "_SUCCESS"):
        store.put_file(str(path), f"{root}/events/{path.relative_to(folder).as_posix()}")

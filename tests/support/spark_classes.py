"""A little of everything that the tests ask of Spark, for its classes to be kept; run by spark-submit."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from pyspark.sql import SparkSession, Window
from pyspark.sql.functions import col, count, current_timestamp, row_number


def _passed_on(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


if __name__ == "__main__":
    session = SparkSession.builder.getOrCreate()
    with TemporaryDirectory() as folder:
        path = str(Path(folder, "rows"))
        rows = session.range(1000).select("id", (col("id") % 7).alias("key"), current_timestamp().alias("time"))
        rows.write.parquet(path)
        newest = Window.partitionBy("key").orderBy(col("time").desc(), "id")
        ranked = session.read.parquet(path).withColumn("rank", row_number().over(newest))
        counted = ranked.join(rows.groupBy("key").agg(count("*").alias("count")), "key", "left")
        counted.mapInArrow(_passed_on, counted.schema).sort("id").toArrow()
    session.stop()

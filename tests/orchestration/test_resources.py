"""What Spark is told, and by which names."""

import dagster as dg

from ml_assets.notebooks.order import FromVariable
from ml_assets.orchestration.resources import Spark


def test_settings_are_flat_whether_they_were_given_so_or_nested() -> None:
    spark = Spark(
        spark_config={"spark": {"executor": {"memory": "4g"}, "ui": {"enabled": False}}, "spark.cores.max": 8}
    )
    assert spark.settings() == {
        "spark.executor.memory": "4g",
        "spark.ui.enabled": "false",
        "spark.cores.max": "8",
    }


def test_a_secret_travels_by_the_name_of_its_variable() -> None:
    secret = {"spark.hadoop.fs.s3a.secret.key": dg.EnvVar("S3_SECRET")}
    expected = {"spark.hadoop.fs.s3a.secret.key": FromVariable(env="S3_SECRET")}
    assert Spark(spark_config=secret).settings() == expected

    @dg.asset
    def told(spark: Spark) -> dict[str, object]:
        return dict(spark.settings())

    result = dg.materialize([told], resources={"spark": Spark(spark_config=secret)})
    assert result.output_for_node("told") == expected

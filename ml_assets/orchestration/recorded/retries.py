"""Runs that Dagster itself repeats, where `run_retries` is on: nobody else may launch what they hold meanwhile."""

from datetime import datetime, timedelta

import dagster as dg

from ml_assets.dagster_names import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

#: The daemon repeats a run within seconds. One that it has not by then, such as of a canceled backfill, it never will.
_LONGEST_WAIT = timedelta(hours=1)
#: A run is failed first, and said to be repeated or not right after it.
_UNTOLD = timedelta(minutes=1)


def being_retried(instance: dg.DagsterInstance, *, now: datetime) -> list[dg.DagsterRun]:
    """The killed runs that Dagster is about to repeat: until their repetition has ended, they are not over.

    To be asked after the runs that are not finished: one that ends in between is found by one of both.
    """
    if not instance.run_retries_enabled:
        return []
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _LONGEST_WAIT)
    records = [record for record in instance.get_run_records(filters=failed) if _may_be_retried(record, now)]
    ids = [again for record in records if (again := record.dagster_run.tags.get(AUTO_RETRY_RUN_ID_TAG))]
    repetitions = instance.get_runs(filters=dg.RunsFilter(run_ids=ids)) if ids else []
    over = {run.run_id for run in repetitions if run.is_finished}
    return [record.dagster_run for record in records if record.dagster_run.tags.get(AUTO_RETRY_RUN_ID_TAG) not in over]


def _may_be_retried(record: dg.RunRecord, now: datetime) -> bool:
    told = record.dagster_run.tags.get(WILL_RETRY_TAG)
    if told is None:
        return record.update_timestamp >= now - _UNTOLD
    return told == "true"

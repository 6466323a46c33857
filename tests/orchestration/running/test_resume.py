"""What a re-executed run goes on from: the runs that it resumes after a failure, and nothing of before a new start."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, RESUME_RETRY_TAG, ROOT_RUN_ID_TAG
from dagster._core.utils import make_new_run_id

from ml_assets.orchestration.running.resume import made_before, resumed_runs

ASSET, PARTITION = "shop/order/model", "2026-05-02"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance: dg.DagsterInstance, parent: dg.DagsterRun | None = None, **tags: str) -> dg.DagsterRun:
    family = {} if parent is None else {PARENT_RUN_ID_TAG: parent.run_id, ROOT_RUN_ID_TAG: parent.run_id}
    record = dg.DagsterRun(
        "job",
        run_id=make_new_run_id(),
        tags={**family, **tags},
        parent_run_id=parent.run_id if parent else None,
        root_run_id=parent.run_id if parent else None,
    )
    return instance.add_run(record)


def resume(instance: dg.DagsterInstance, parent: dg.DagsterRun) -> dg.DagsterRun:
    return run(instance, parent, **{RESUME_RETRY_TAG: "true"})


def make(instance: dg.DagsterInstance, by: dg.DagsterRun) -> None:
    made = dg.AssetMaterialization(ASSET.split("/"), partition=PARTITION)
    instance.report_dagster_event(
        dg.DagsterEvent(
            "ASSET_MATERIALIZATION", "job", event_specific_data=dg._core.events.StepMaterializationData(made)
        ),
        by.run_id,
    )


def test_a_run_of_its_own_goes_on_from_none(instance: dg.DagsterInstance) -> None:
    first = run(instance)
    make(instance, first)
    assert resumed_runs(instance, run(instance)) == []
    assert made_before(instance, run(instance), ASSET, PARTITION) is None


def test_a_run_resumed_twice_goes_on_from_both_the_latest_first(instance: dg.DagsterInstance) -> None:
    first = run(instance)
    make(instance, first)
    second = resume(instance, first)
    third = resume(instance, second)
    assert resumed_runs(instance, third) == [second.run_id, first.run_id]
    assert made_before(instance, third, ASSET, PARTITION) == first.run_id
    make(instance, second)
    assert made_before(instance, third, ASSET, PARTITION) == second.run_id


def test_what_others_made_is_not_made_before(instance: dg.DagsterInstance) -> None:
    resumed = resume(instance, run(instance))
    make(instance, run(instance))
    assert made_before(instance, resumed, ASSET, PARTITION) is None


def test_a_re_execution_of_all_steps_begins_anew_and_so_does_what_resumes_it(instance: dg.DagsterInstance) -> None:
    first = run(instance)
    make(instance, first)
    anew = run(instance, first)
    assert resumed_runs(instance, anew) == []
    resumed = resume(instance, anew)
    assert resumed_runs(instance, resumed) == [anew.run_id]
    assert made_before(instance, resumed, ASSET, PARTITION) is None


def test_a_run_whose_parent_was_deleted_goes_on_from_its_id_alone(instance: dg.DagsterInstance) -> None:
    first = run(instance)
    second = resume(instance, first)
    instance.delete_run(first.run_id)
    assert resumed_runs(instance, second) == [first.run_id]

"""What a run pins at its start, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.logs.event_files import NoFolderError
from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.domain.owed.facts import metrics_inputs, model_inputs
from ml_assets.orchestration.recorded.current import LostError
from ml_assets.orchestration.recorded.facts import materialization, read_facts
from ml_assets.orchestration.running.orders import examples_order
from ml_assets.orchestration.running.pins import ChangedWhileReadError, MissingInputError, Pins, check_unchanged, pin
from tests.orchestration.conftest import AS_OF, Service, event_inputs

TRAINING, MODEL, EVALUATION, METRICS = ("training_data", "model", "evaluation_data", "metrics")


def pinned(service: Service, step: str, partition: str, run_id: str = "run") -> Pins:
    horizon = service.model.evaluation.horizons[0] if step in (EVALUATION, METRICS) else None
    store = ArtifactStore(service.root.parent / "artifacts")
    return pin(
        service.instance, service.model, step, horizon, partition, as_of=AS_OF, events_root=service.root, store=store
    )


def make(service: Service, asset: str, partition: str, data_version: str = "v1") -> None:
    """A materialization with its artifact. Reported from outside of a run, it belongs to the run without a name."""
    store = ArtifactStore(service.root.parent / "artifacts")
    service.instance.report_runless_asset_event(materialization(asset, partition, data_version))
    store.publish(store.prepare(asset, partition, ""), {"data_version": data_version})


def test_the_event_partitions_of_the_windows_are_pinned_with_their_fingerprints(service: Service) -> None:
    service.arrive(1, 2, 3)
    pins = pinned(service, TRAINING, "2026-05-02")
    assert pins.events is not None
    assert {log: sorted(of) for log, of in pins.events.fingerprints.items()} == {
        "shop/visits": ["2026-05-01", "2026-05-02"],
        "shop/orders": ["2026-05-01", "2026-05-02"],
    }
    service.look()
    assert pins.inputs == event_inputs(service, pins.events.windows)


def test_an_immature_window_is_refused_and_names_what_is_missing(service: Service) -> None:
    service.arrive(1, 2, 3)
    with pytest.raises(ImmatureWindowError, match=r"evaluation_data_1d 2026-05-02 is immature: shop/orders 2026-05-04"):
        pinned(service, EVALUATION, "2026-05-02")


def test_a_log_that_nobody_has_written_yet_makes_a_window_immature_and_one_that_is_gone_is_an_error(
    service: Service,
) -> None:
    service.arrive(1, 2, 3)
    elsewhere = (service.root / "shop/orders").rename(service.root / "elsewhere")
    with pytest.raises(
        ImmatureWindowError, match=r"immature: shop/orders 2026-05-01\.\.2026-05-02 .* Nothing .* there is no folder"
    ):
        pinned(service, TRAINING, "2026-05-02")
    elsewhere.rename(service.root / "shop/orders")
    service.look()
    (service.root / "shop/orders").rename(elsewhere)
    with pytest.raises(NoFolderError, match="shop/orders: there is no folder .* 3 had arrived"):
        pinned(service, TRAINING, "2026-05-02")


def test_a_folder_that_goes_while_it_is_read_is_a_change_that_is_tried_again(service: Service) -> None:
    service.arrive(1, 2)
    pins = pinned(service, TRAINING, "2026-05-02")
    assert pins.events is not None
    (service.root / "shop/orders").rename(service.root / "elsewhere")
    with pytest.raises(ChangedWhileReadError, match="shop/orders 2026-05-01, 2026-05-02 changed while it was read"):
        check_unchanged(service.model, pins.events, service.root)


def test_training_is_refused_while_rows_may_still_become_known(service: Service) -> None:
    logs = [replace(log, known_delay=timedelta(hours=13)) for log in service.model.logs]
    service.model = replace(service.model, exposures=logs[0], outcomes=logs[1])
    service.arrive(*range(1, 10))
    pinned(service, TRAINING, "2026-05-08")
    with pytest.raises(ImmatureWindowError, match=r"may become known until 2026-05-10T13:00:00\+00:00 \(known_delay\)"):
        pinned(service, TRAINING, "2026-05-09")


def test_what_changes_between_the_start_and_the_end_is_named(service: Service) -> None:
    service.arrive(1, 2)
    events = pinned(service, TRAINING, "2026-05-02").events
    assert events is not None
    check_unchanged(service.model, events, service.root)
    service.arrive(2, log="shop/orders", content=b"rows that came during the run")
    with pytest.raises(ChangedWhileReadError, match=r"shop/orders 2026-05-02 changed while it was read"):
        check_unchanged(service.model, events, service.root)


def test_a_step_without_its_upstream_partition_is_refused(service: Service) -> None:
    with pytest.raises(MissingInputError, match=r"shop/order/training_data 2026-05-02 does not exist"):
        pinned(service, MODEL, "2026-05-02")


def test_upstream_versions_are_pinned_as_due_digests_them(service: Service) -> None:
    for asset in service.model.assets[:3]:
        make(service, asset, "2026-05-02")
    made = read_facts(service.instance, [service.model], code={}).made
    training, model, evaluation = (made[asset]["2026-05-02"] for asset in service.model.assets[:3])
    assert pinned(service, MODEL, "2026-05-02").inputs == model_inputs(training)
    assert pinned(service, METRICS, "2026-05-02").inputs == metrics_inputs(evaluation, model)


def test_an_order_names_the_files_of_the_windows_alone(service: Service) -> None:
    service.arrive(1, 2, 3)
    events = pinned(service, TRAINING, "2026-05-02").events
    assert events is not None
    order = examples_order(service.model, events, service.root)
    assert [file.parent.name for one in order.exposures.partitions for file in one.files] == [
        "date=2026-05-01",
        "date=2026-05-02",
    ]
    assert order.exposures.end == order.observed_until


def test_a_window_of_empty_partitions_still_knows_its_columns(service: Service) -> None:
    service.arrive(1)
    for log in service.model.logs:
        folder = service.root / log.location / "date=2026-05-02"
        folder.mkdir()
        (folder / "_SUCCESS").touch()
    service.arrive(3)
    evaluation = pinned(service, EVALUATION, "2026-05-01").events
    assert evaluation is not None
    order = examples_order(service.model, evaluation, service.root)
    assert [one.files for one in order.exposures.partitions] == [[]]
    assert order.exposures.schema_file is not None
    assert order.exposures.schema_file.parent.name == "date=2026-05-03"


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_text("")])
def test_an_upstream_partition_that_is_lost_is_refused_with_the_inputs_that_it_would_have_been(
    harm: Callable[[Path], object], service: Service
) -> None:
    service.arrive(1, 2, 3)
    service.look()
    make(service, "shop/order/training_data", "2026-05-02")
    inputs = pinned(service, MODEL, "2026-05-02").inputs
    manifest = service.root.parent / "artifacts/shop/order/training_data/2026-05-02/manifest.json"
    harm(manifest)
    with pytest.raises(LostError) as error:
        pinned(service, MODEL, "2026-05-02")
    assert str(error.value) == (
        f"shop/order/training_data 2026-05-02 is recorded, but lost from the store: {manifest}; "
        "`ml-assets plan shop/order/training_data` says what makes it again"
    )
    assert error.value.inputs == inputs

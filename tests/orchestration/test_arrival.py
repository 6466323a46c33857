"""What has arrived, by each kind of arrival."""

import pytest

from ml_assets.domain.event_log import Marker
from ml_assets.orchestration.arrival import MarkerArrival
from tests.orchestration.conftest import Service

MARKER = MarkerArrival(Marker("_SUCCESS"))


def test_an_empty_partition_arrives_by_its_marker_alone(service: Service) -> None:
    folder = service.root / "shop/visits/date=2026-05-03"
    folder.mkdir()
    assert MARKER.arrived(service.root, service.model.exposures) == {}
    (folder / "_SUCCESS").touch()
    assert list(MARKER.arrived(service.root, service.model.exposures)) == ["2026-05-03"]


def test_asked_for_some_partitions_it_answers_for_those(service: Service) -> None:
    service.arrive(1, 2, 3)
    found = MARKER.arrived(service.root, service.model.exposures, ["2026-05-02", "2026-05-09"])
    assert list(found) == ["2026-05-02"]


def test_a_log_without_a_folder_is_an_error_not_an_empty_log(service: Service) -> None:
    (service.root / "shop/visits").rmdir()
    with pytest.raises(FileNotFoundError, match="shop/visits"):
        MARKER.arrived(service.root, service.model.exposures)


def test_folders_that_are_no_partition_of_the_log_are_left_alone(service: Service) -> None:
    service.arrive(1)
    for name in ("2026-04-30", "2026-05-20", "backup", "__HIVE_DEFAULT_PARTITION__"):
        folder = service.root / f"shop/visits/date={name}"
        folder.mkdir()
        (folder / "_SUCCESS").touch()
    assert list(MARKER.arrived(service.root, service.model.exposures)) == ["2026-05-01"]

"""What is recorded of the sensors of services: which have looked."""

from collections.abc import Iterable

import dagster as dg

from ml_assets.dagster_names import InstigatorType, TickStatus

_LOOKED = [TickStatus.SKIPPED, TickStatus.SUCCESS]


def sensor_name(service: str) -> str:
    """The name of the sensor of a service."""
    return f"{service}_sensor"


def looked_at(instance: dg.DagsterInstance, services: Iterable[str]) -> set[str]:
    """Those of some services whose sensor has looked at their logs; one whose ticks all failed has not."""
    states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    ticked = {
        state.name
        for state in states
        if instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=_LOOKED)
    }
    return {service for service in services if sensor_name(service) in ticked}

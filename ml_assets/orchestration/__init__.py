"""Dagster's side: what is defined on top of declarations, and what dagster.yaml names.

Belongs here: assets, partitions, checks, sensors, schedules, resources, launchers. It asks, the domain decides, and it
answers; what arrives, is recorded, run and launched are rooms of their own.
"""

"""What Dagster's storage has recorded, read: facts, current versions, lineage, past runs.

Belongs here: reads. Not: what writes events, which is `running` and the sensors.
"""

"""Runs one notebook, and keeps what it left: its result, why it failed, and the executed copy.

Belongs here: one execution. Not: which partition is run, and what Dagster is told, which are `orchestration`.
"""

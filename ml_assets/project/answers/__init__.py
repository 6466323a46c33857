"""What people ask of a project: plan, backfill, debt, lineage, metrics, whether all is there.

Belongs here: an answer as a value, and its words. Not: options and exit codes, which are `cli`.
"""

"""Event logs as of an instant, labels, and what is kept of them: rows, whatever engine reads them.

Belongs here: what rows count and how they are read and stored. Not: when a step is run, nor what Dagster is told.
"""

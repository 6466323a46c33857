"""What steps leave: immutable versions in a store, their tables, and hashes of their content.

Belongs here: the layout of the store. Not: which version is the current one, which is recorded with Dagster.
"""

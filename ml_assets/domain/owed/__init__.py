"""What is to be made, from facts: what is due, owed, planned, repaired, and grouped into runs.

Belongs here: decisions. Not: where the facts come from, nor who acts on them, which are `orchestration`.
"""

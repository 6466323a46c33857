"""Makes partitions of one step: pins its inputs, orders its notebook, judges and records what came of it.

Belongs here: what happens inside of a run. Not: what makes runs.
"""

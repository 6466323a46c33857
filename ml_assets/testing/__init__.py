"""What tests of a project use: a notebook run on given frames, as Dagster would run it.

Belongs here: what a team's tests import. Our own tests' helpers are in tests/support.
"""

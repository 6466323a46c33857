"""Makes runs of the project's assets and follows them: backfills with a daemon or without.

Belongs here: what happens around runs. Not: why they are made, which the domain has planned.
"""

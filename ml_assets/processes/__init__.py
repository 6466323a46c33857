"""Dagster's own processes as we start them: webserver, daemon, both for development, and the probe of their health.

Belongs here: what lives long. Not: what a command answers and ends.
"""

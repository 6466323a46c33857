"""Processes that are forked from one which has imported before what they need."""

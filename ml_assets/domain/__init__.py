"""What is true of windows, maturity and debt, whatever runs it: pure functions on plain values.

Belongs here: time, what is declared, what follows from facts. Not: Dagster, data frames, files, a clock.
"""

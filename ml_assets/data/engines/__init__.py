"""What runs the expressions over event logs: DuckDB or Spark, with equal results.

Belongs here: what differs between engines. Not: what is asked of them.
"""

"""What a team declares of logs and models, as values that are valid once they exist.

Belongs here: a value and why it is refused. Not: YAML, which `declarations` reads.
"""

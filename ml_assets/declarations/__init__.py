"""What defs.yaml files say: read into the domain's values, refused by file and key, and written for a new model.

Belongs here: YAML, in and out. Not: what Dagster makes of a declaration, which is `components`.
"""

"""The command line: options, exit codes, and which answer is asked for. Click alone.

Belongs here: a command. Not: what it does, which is `project`, `authoring`, `processes` or `reports`.
"""

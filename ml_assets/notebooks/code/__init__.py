"""What a notebook says, without running it: its cells, whether it can be run, and the version of its code.

Belongs here: reading source. Not: executing it.
"""

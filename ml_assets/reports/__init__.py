"""Pages about a project that need no server.

Belongs here: what is written as HTML. Not: the numbers on it.
"""

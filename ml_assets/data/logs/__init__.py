"""The event logs themselves: where files and tables lie, whether they changed, and the rows of a window.

Belongs here: asking a source. Not: whether what it has suffices, which the domain judges.
"""

"""The kernels that notebooks run in: forked from a warm process, with the context that dagstermill gives.

Belongs here: the start and end of a kernel. Not: which cells it runs.
"""

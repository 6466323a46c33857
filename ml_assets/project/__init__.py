"""The project at hand: its folder, its home, its stores, and what is wrong with them in a line.

Belongs here: what commands, Jupyter and tests all open first. What people ask of it is in `answers`.
"""

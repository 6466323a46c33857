"""What the sources have: which event partitions have arrived, what they hold, and how that is shown.

Belongs here: asking, and remembering answers. Not: what follows from them.
"""

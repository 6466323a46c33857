"""Processes that have imported what others need, and are forked from.

Belongs here: forking, and its ends. It knows nothing of what is imported.
"""

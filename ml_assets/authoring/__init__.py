"""Helps a data scientist write: new projects and models, notebooks as steps, notebooks in pairs.

Belongs here: what writes into a project's files. Not: what reads declarations.
"""

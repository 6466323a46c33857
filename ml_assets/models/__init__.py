"""Standard models and encoders, and how a model is saved so that loading it runs no code.

Belongs here: what a model notebook calls. Not: metrics, and what reads examples.
"""

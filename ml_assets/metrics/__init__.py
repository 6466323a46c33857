"""Metrics of predictions against outcomes, one file each: its value, direction, needs and source.

Belongs here: numbers from labels and predictions. Not: where these come from, nor how numbers are shown.
"""

"""The event logs that the demo runs on, simulated or read, and what its notebooks fit.

Belongs here: data to show the product by. Nothing but the demo and its notebooks imports it.
"""

"""The demo: writes its event logs, lets the sensors do the rest, and shows the metrics.

Belongs here: what the demo alone needs. Its logs are in `examples`.
"""

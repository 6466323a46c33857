"""Steps as pods of Kubernetes: their executor, and the tags that say what a pod gets.

Belongs here: what runs on a cluster alone.
"""

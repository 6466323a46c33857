"""What a notebook sees: its step, its frames, its Spark session, what it reports.

Belongs here: what the kernel imports. How it is run, which kernel it has and what its code is are rooms of their own.
"""

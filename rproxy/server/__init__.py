"""The processes: one worker per loop, and the supervisor over several."""

"""`changecast up`: every part as a process of its own, kept running, and a live view of what they do."""

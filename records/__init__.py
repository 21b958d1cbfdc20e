"""What is left of a call: its record, its events, its two tracks, what was heard and when."""

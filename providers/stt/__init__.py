"""Speech to text, one vendor a file."""

"""Text to speech, one vendor a file."""

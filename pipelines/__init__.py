"""What a call is made of."""

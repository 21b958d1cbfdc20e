"""What all tests share. pyproject.toml declares the markers."""

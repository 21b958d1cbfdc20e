"""One vendor a file: what it can be told, what it needs, how it is built."""

"""The HTTP edge: one router a file; only this folder and server.py know FastAPI."""

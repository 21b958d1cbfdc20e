"""Simulated vendors: their wire protocols on loopback, with latencies and faults on demand."""

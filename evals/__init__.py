"""Measuring: word error rate, benches, scenarios."""

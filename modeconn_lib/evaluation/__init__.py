"""Measure paths and networks."""

"""Align, connect and merge neural networks."""

"""Minimise an objective: the one training loop, and what it needs."""

"""Paths in weight space from one network to another: what they are, and how they are learned."""

"""Paths on which units are samples of a distribution (Anokhin & Yarotsky 2020)."""

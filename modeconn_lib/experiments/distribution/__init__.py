"""The chapters on Anokhin & Yarotsky 2020: connections by the distribution of units."""

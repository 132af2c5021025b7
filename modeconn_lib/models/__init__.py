"""The networks the experiments train: plain modules, built from an image shape and classes."""

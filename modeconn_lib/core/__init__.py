"""What everything else stands on: networks as dictionaries of tensors, seeds, and this machine."""

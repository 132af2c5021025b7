"""Data sets as tensors: one uint8 tensor per split, batches and augmentation made on the device."""

"""The chapters on Git Re-Basin (Ainsworth et al. 2022): plans, steps, numbers and claims."""

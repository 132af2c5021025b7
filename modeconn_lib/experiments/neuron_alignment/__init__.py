"""The chapters on neuron alignment (Tatro et al. 2020): plans, steps, numbers and claims."""

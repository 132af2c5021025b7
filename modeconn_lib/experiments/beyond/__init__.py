"""The chapters beyond the papers: plans, steps, numbers and claims."""

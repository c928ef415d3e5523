"""The catalogue: one class a rule, a file for each family or part of it."""

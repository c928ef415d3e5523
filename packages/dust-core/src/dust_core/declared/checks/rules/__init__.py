"""The catalogue: a class for each rule, a file for each family or part of a family."""

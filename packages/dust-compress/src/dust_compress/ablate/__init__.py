"""P5: variants of an experiment, each different in one parameter."""

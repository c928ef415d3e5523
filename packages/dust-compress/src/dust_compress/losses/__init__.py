"""The losses of training, one in each file."""

"""What this machine can run, and what protects the review: the verb `dust doctor`."""

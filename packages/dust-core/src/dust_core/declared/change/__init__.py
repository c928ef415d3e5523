"""`dust diff` and `dust plan`: what a change of the specs means, and what a run would cost."""

"""P4: the teacher with fewer heads, units and channels."""

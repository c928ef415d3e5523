"""P1: students that learn from the teacher."""

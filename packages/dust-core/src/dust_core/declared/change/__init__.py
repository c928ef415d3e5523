"""What a change to the specs means, and what running them would cost: `dust diff`, `dust plan`."""

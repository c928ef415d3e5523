"""The verbs that run a network on photographs or on a set of pairs."""

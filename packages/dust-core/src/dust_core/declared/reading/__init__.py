"""YAML and JSON read in bounded time, with the place of every value."""

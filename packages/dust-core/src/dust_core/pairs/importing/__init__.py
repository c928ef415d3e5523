"""Data sets of known layouts, turned into pair shards."""

"""Sets of pair shards: written, read, indexed, proven."""

"""Pairs: shards, the feed, adapters, and the geometry that checks them."""

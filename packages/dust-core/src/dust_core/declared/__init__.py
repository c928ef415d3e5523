"""Specs, records, rules, changes of specs, and the pipeline."""

"""DUST's core: declared experiments, the checks on them, records, the network and its data."""

__version__ = "0.1.0"

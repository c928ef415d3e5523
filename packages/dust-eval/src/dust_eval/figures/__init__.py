"""Figures that documents quote, and the records, specs and stored outputs that hold them."""

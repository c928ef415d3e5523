"""DVC's view of the specs: the stages written from them, and their reproduction."""

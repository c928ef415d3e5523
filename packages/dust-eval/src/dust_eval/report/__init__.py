"""The report: the results of a profile on one page."""

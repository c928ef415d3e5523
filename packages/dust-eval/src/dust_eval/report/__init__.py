"""The report: everything that result files say of a profile, on one page."""

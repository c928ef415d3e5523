"""Whether a repository is set up so that nobody can approve his own change of what decides."""

"""The documentation as a site: the repository's documents, and pages made from the code."""

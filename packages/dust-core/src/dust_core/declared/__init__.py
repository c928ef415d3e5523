"""What is declared and what is said of it: specs, records, rules, changes, the pipeline."""

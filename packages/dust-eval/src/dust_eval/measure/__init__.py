"""Networks measured by the workload's protocol, in turn in one process."""

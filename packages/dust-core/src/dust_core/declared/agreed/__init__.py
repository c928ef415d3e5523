"""What was agreed, and what a change may not undo unnoticed: success lines, executed tasks."""

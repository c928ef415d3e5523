"""What a change may not undo without review: agreed success lines and executed tasks."""

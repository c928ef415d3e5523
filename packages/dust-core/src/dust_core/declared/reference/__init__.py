"""What is generated from the models: JSON Schemas and the reference of all fields."""

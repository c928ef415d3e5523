"""The DUSt3R network: its model, surgery on it, its graphs and its checkpoints."""

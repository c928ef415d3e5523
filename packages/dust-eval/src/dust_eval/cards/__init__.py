"""Model cards: what a shipped network is, from the records that measured it."""

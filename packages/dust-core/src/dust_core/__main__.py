"""`python -m dust_core` runs `dust` in that Python's own environment."""

from dust_core.cli import main

main()

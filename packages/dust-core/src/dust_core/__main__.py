"""`python -m dust_core` is `dust`, in the very environment of that Python."""

from dust_core.cli import main

main()

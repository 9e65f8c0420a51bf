"""`python -m benchmarks.damage`, the same as `python -m benchmarks damage`."""

from benchmarks.damage.run import main

main()

"""What every room stands on: errors, settings, records of a run, seeds, hashes and atomic files."""

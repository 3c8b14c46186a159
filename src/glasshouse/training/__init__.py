"""Training: the written-out loop, and the policies that it takes as arguments."""

"""The speed benchmark: covidscan, its peers and its engine alone, in one run."""

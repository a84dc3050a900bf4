"""The speed benchmark: covidscan beside its peers and beside its engine alone, in one run."""

"""Opening files and folders that somebody else provides."""

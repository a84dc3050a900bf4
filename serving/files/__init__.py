"""Opens files and folders that others provide."""

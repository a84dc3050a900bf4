"""What several commands share: options, tables, and how a command fails."""

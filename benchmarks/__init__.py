"""What decisions about speed rest on."""

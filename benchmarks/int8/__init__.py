"""What post-training int8 would give and take."""

"""The out-of-distribution score: how far an image is from what a CNN learned from."""

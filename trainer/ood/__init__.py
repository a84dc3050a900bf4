"""The out-of-distribution score: how different an image is from what a CNN learned from."""

"""What the numbers behind a picture mean: arrays and frames in, frames out, no torch and no widgets."""

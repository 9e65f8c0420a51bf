"""Speed and memory as ratios: every figure beside the naive form and the floor, measured in the same run."""

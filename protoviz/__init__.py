"""See, hear and measure the pooling bottleneck of frozen audio encoders."""

"""Neural parts that families share: perceptrons, residual convolutions, and what a machine can
hold."""

"""Neural parts that families share: nets, what they see of a row, their training, their device."""

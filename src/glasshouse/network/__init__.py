"""Networks as packs: members side by side in stacked tensors, from a specification of plain numbers."""

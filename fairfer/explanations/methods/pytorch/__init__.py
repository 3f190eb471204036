"""What imports PyTorch, or a library on top of it; `fairfer.explanations.methods` imports these modules when it needs them."""

"""Whole training runs beside PyTorch: the same model, weights, batches and optimiser, epoch by epoch in turns."""

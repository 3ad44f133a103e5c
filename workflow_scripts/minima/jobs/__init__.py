"""What a job does: find the data, ask the store, take a device, write, tell. No torch before training."""

"""The fault suite: real processes, killed and starved on purpose. `make faults`; docs/faults.md."""

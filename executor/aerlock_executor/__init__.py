"""Runs quantum programs in sealed cells and hands their events to the gateway."""

"""Ground floor: talks to hardware, knows nothing of the agent. Hands out Readings and Waveforms with quality and source time."""

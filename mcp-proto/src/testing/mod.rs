//! Two engines on one clock, a simulated network, transcripts, a router in memory.

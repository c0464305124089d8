//! The embedded Batch and Blob service: real HTTP, real processes, on loopback.

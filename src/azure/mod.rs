//! The services of Azure that a run needs: Blob Storage and Batch. It knows no words, shards or plans.

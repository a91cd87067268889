"""What a cluster is, and the talk with API servers."""

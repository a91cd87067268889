"""What clusters use: collected by the watcher, kept in few rows, read by pages."""

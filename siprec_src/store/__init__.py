"""What must outlive the process: an embedded SQLite database."""

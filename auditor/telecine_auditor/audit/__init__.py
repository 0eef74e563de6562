"""The audit: runs all checks, reports them, and saves snapshots to resume from."""

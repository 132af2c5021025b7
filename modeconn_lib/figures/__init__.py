"""Pictures of records: a figure reads, it never computes."""

"""The chapters' experiments: profiles, plans, the steps that fill the store, one file a chapter."""

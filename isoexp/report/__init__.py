"""What runs say of claims: statistics, verdicts, pages. No torch: they read parquet."""

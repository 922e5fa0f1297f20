"""The application's messages as the rows that are measured. No statistics and no Dagster here."""

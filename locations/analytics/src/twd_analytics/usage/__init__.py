"""Daily statistics of what people ask and how it ends. No Dagster here."""

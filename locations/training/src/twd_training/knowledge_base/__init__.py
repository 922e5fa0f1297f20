"""Knowledge bases: what is in one, and versions of it published to Qdrant behind aliases."""

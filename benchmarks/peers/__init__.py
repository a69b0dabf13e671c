"""What peers do with the same work; these programs run in the peers' own environment."""

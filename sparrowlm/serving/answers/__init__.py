"""What the server answers, endpoint by endpoint: a checked request in, JSON values out."""

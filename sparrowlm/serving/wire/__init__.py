"""What clients send and receive, in OpenAI's terms where there are such."""
